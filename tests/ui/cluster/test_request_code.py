"""The code in the form of the cluster's page: its faults, its check, its packages, what is uploaded in its place."""

from datetime import UTC, datetime

import pytest

from tests.chain import wait_until
from tests.recipes.importing.notebooks import PICTURES, notebook
from tests.ui.cluster.stand import CHECKED, Stand
from tests.ui.pressing import press
from tests.ui.test_widgets import connect
from workbench import recipes
from workbench.errors import RecipeError
from workbench.recipes import Recipe
from workbench.settings import Settings
from workbench.ui.draft import DRAFT, Draft
from workbench.verbs import recipes as verbs_recipes


def test_code_that_cannot_be_read_is_marked_at_its_line_in_its_tab(stand: Stand) -> None:
    form = stand.page.request
    stand.page.requester.name = "ann"
    form.code.editor.values = {**form.code.editor.values, "helpers": "a = 1\nb = (\n"}
    press(form.train)
    assert form.code.editor.shown == "helpers"
    (mark,) = form.code.editor.marks["helpers"]
    assert mark["line"] == 2
    assert "Helpers, line 2" in stand.said
    assert stand.page.workbench.store.page().total == 0


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a = 1\nb = (\n", 2, "'(' was never closed"),
        ("def build_model():\nreturn 1\n", 2, "expected an indented block"),
        ("x = 1\nreturn x\n", 2, "'return' outside function"),
        ("%matplotlib inline\n", 1, "a magic of IPython"),
        ("a = '\x00'\n", None, "null bytes"),
        ("raise SystemExit('it was run')\n", None, None),
    ],
)
def test_a_fault_of_syntax_is_told_while_it_is_typed_and_nothing_is_run(
    stand: Stand, text: str, line: int | None, said: str | None
) -> None:
    editor = stand.page.request.code.editor
    wire = connect(editor)

    def type_it(**other: object) -> None:
        content = {"kind": "typed", "question": 7, "field": "helpers", "text": text, **other}
        wire.receive({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})

    type_it()
    answer = wire.messages[-1]["content"]
    assert (answer["kind"], answer["question"], answer["field"]) == ("slip", 7, "helpers")
    if said is None:
        assert answer["slip"] is None
    else:
        assert (answer["slip"]["line"], said in answer["slip"]["message"]) == (line, True)
    sent = len(wire.messages)
    for strange in ({"field": "no such"}, {"text": 3}, {"kind": "else"}):
        type_it(**strange)
    assert len(wire.messages) == sent


def test_the_mark_of_a_fault_of_syntax_goes_once_it_is_mended(stand: Stand) -> None:
    form = stand.page.request
    stand.page.requester.name = "ann"
    form.code.editor.values = {**form.code.editor.values, "helpers": "b = (\n"}
    press(form.train)
    assert form.code.editor.marks["helpers"]
    form.code.editor._typed({"kind": "typed", "field": "helpers", "text": "b = (", "question": 1})
    assert form.code.editor.marks["helpers"]
    form.code.editor._typed({"kind": "typed", "field": "helpers", "text": "b = ()", "question": 2})
    assert form.code.editor.marks == {}


def test_check_shows_what_it_found_or_marks_the_line(stand: Stand) -> None:
    form = stand.page.request
    stand.page.workbench.requests.checks = RecipeError("training, line 3: no", field="training", line=3)  # type: ignore[attr-defined]
    press(form.check)
    assert form.code.editor.marks == {"training": [{"line": 3, "message": "training, line 3: no"}]}
    assert form.code.editor.shown == "training"
    stand.page.workbench.requests.checks = CHECKED  # type: ignore[attr-defined]
    press(form.check)
    assert form.code.editor.marks == {}
    assert "100 examples to learn from" in stand.said


def test_a_check_can_be_stopped(stand: Stand) -> None:
    check = stand.page.request.check
    stand.page.workbench.requests.checks = None  # type: ignore[attr-defined]
    assert check.widget.children == (check.button,)
    check.press()
    assert check.widget.children == (check.button, check.stop)
    check.stop.click()
    wait_until(lambda: not check.busy, 60, "the check's end")
    assert "Stopped" in stand.said
    assert check.widget.children == (check.button,)


def test_a_recipe_that_was_made_after_the_page_is_offered_to_its_visitor(
    stand: Stand, settings: Settings
) -> None:
    """Pages are prepared: *Make a recipe* on another one came later."""
    code, folder = stand.page.request.code, settings.home / "recipes" / "flowers"
    before, first = code.recipe, code.start.value
    stand.page.browser.visible = False
    Recipe("", "def load_data():\n    return 1, 2\n", "def build_model():\n    return 3\n").write(folder)
    stand.page.browser.visible = True
    assert "flowers" in [value for _, value in code.start.options]
    assert (code.recipe, code.start.value) == (before, first)
    code.start.value = "flowers"
    assert "return 3" in code.recipe.training
    code.start.value = first


def test_what_was_made_of_a_recipe_is_there_again_when_it_is_chosen_again(stand: Stand) -> None:
    code = stand.page.request.code
    first = str(code.start.value)
    original = stand.page.request.recipe
    assert code.other.layout.display == "none"
    code.editor.values = {**code.editor.values, "helpers": "mine = 1\n"}
    assert (code.other.layout.display, code.other.description) == ("", "Back to the original")
    code.start.value = "tabular"
    assert stand.page.request.recipe == recipes.read(verbs_recipes.SHIPPED / "tabular")
    assert code.other.layout.display == "none"
    code.start.value = first
    assert stand.page.request.recipe.helpers == "mine = 1\n"
    code.other.click()
    assert stand.page.request.recipe == original
    assert code.other.description == "Back to my changes"
    code.other.click()
    assert stand.page.request.recipe.helpers == "mine = 1\n"


def test_a_clone_stands_in_the_form_and_leaves_what_was_there_to_come_back_to(
    stand: Stand, made: dict[str, int]
) -> None:
    form, panel = stand.page.request, stand.page.jobs
    first = str(form.code.start.value)
    form.code.editor.values = {**form.code.editor.values, "helpers": "mine = 1\n"}
    panel.open(made["completed"])
    wait_until(lambda: "completed" in panel.page.head.html, 60, "the job's page")
    press(panel.page.clone)
    assert "stands here" in form.message.html
    assert form.message.called == 1, "the browser goes there"
    assert form.recipe.helpers != "mine = 1\n"
    form.code.start.value = first
    assert form.recipe.helpers == "mine = 1\n"


def test_a_missing_package_is_offered_as_a_line_and_the_tab_says_what_is_here(stand: Stand) -> None:
    code = stand.page.request.code
    code.mark(
        RecipeError(
            "helpers, line 1: ModuleNotFoundError: No module named 'sklearn'", field="helpers", line=1
        )
    )
    assert (code.packages.add.layout.display, code.packages.note.layout.display) == ("", "none")
    assert code.packages.add.description == "Add scikit-learn to the packages"
    code.editor.values = {**code.editor.values, "requirements": "pandas"}
    code.packages.add.click()
    assert stand.page.request.recipe.requirements == "pandas\nscikit-learn\n"
    assert (code.packages.add.layout.display, code.packages.note.layout.display) == ("none", "")
    assert "<code>keras</code>" in code.packages.note.value
    code.mark(RecipeError("the requirements cannot be installed", field="requirements", line=1))
    assert code.editor.shown == "requirements"
    assert code.packages.add.layout.display == "none"


def test_an_upload_goes_into_the_editors_and_what_is_none_is_refused(stand: Stand) -> None:
    form = stand.page.request
    upload = {
        "name": "x.txt",
        "content": memoryview(b"?"),
        "type": "",
        "size": 1,
        "last_modified": datetime.now(UTC),
    }
    form.code.upload.value = ({**upload, "name": "x.zip"},)
    assert "not a zip" in stand.said
    files = {"training.py": "def build_model(): ...", "preprocessing.py": "# é\n"}
    form.code.upload.value = tuple(
        {**upload, "name": n, "content": memoryview(c.encode())} for n, c in files.items()
    )
    assert form.recipe == Recipe("", "# é\n", "def build_model(): ...")


def test_a_notebook_with_fit_is_made_a_recipe_and_the_page_says_what_became_of_it(stand: Stand) -> None:
    form, content = stand.page.request, notebook(*PICTURES)
    form.code.upload.value = (
        {
            "name": "colab.ipynb",
            "content": memoryview(content),
            "type": "",
            "size": len(content),
            "last_modified": datetime.now(UTC),
        },
    )
    assert form.recipe.training.startswith("EPOCHS = 2\nBATCH_SIZE = 20\nPATIENCE = 3")
    assert "colab.ipynb became a recipe" in stand.said
    assert "ModelCheckpoint is left out" in stand.said


def test_other_uploads_go_beside_the_code_and_stay_there_until_they_are_taken_away(stand: Stand) -> None:
    form = stand.page.request
    code = form.recipe.training
    form.code.upload.value = tuple(
        {
            "name": name,
            "content": memoryview(content),
            "type": "",
            "size": len(content),
            "last_modified": datetime.now(UTC),
        }
        for name, content in (("rows.csv", b"1,2"), ("mylib.py", b""), ("requirements.txt", b"pandas\n"))
    )
    assert (form.recipe.training, form.recipe.requirements) == (code, "pandas\n")
    assert [one.path for one in form.recipe.files] == ["mylib.py", "rows.csv"]
    stand.arrive()
    draft = Draft.parse(stand.page.browser[DRAFT] or form._draft_with(form.recipe).keep())
    assert draft is not None
    assert draft.recipe == form.recipe
    form.code.beside.tags.value = ["rows.csv"]
    assert [one.path for one in form.recipe.files] == ["rows.csv"]
    form.code.start.value = "tabular"
    assert (form.recipe.files, form.code.beside.widget.layout.display) == ((), "none")
