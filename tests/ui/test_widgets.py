"""The pieces: what goes over the wire, and what the HTML holds. No browser."""

import base64
from typing import Any

import cv2
import numpy as np
import pytest

from workbench import ui
from workbench.errors import BadInput, RecipeError
from workbench.models.evaluation import evaluate
from workbench.models.measured import Evaluation
from workbench.ui.file_button import FileButton
from workbench.ui.widgets import pieces, theme
from workbench.ui.widgets.curves import thin
from workbench.ui.widgets.drawing.canvas import Canvas
from workbench.ui.widgets.drawing.inline_pictures import data_url


class Wire:
    """Stands where the kernel's connection to the page is, and keeps what was sent."""

    comm_id = "wire"

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def on_msg(self, receive: Any) -> None:
        self.receive = receive

    def send(self, data: dict[str, Any], buffers: Any = None) -> None:
        self.messages.append(data)

    def close(self, **_: Any) -> None:
        pass

    def draw(self, ink: np.ndarray, **message: Any) -> dict[str, Any]:
        """Send a drawing as the page does; give the answer."""
        height, width = ink.shape
        content = {"kind": "ink", "id": 1, "width": width, "height": height, **message}
        data = {"method": "custom", "content": content}
        self.receive({"content": {"data": data}, "buffers": [memoryview(ink.tobytes())]})
        answer: dict[str, Any] = self.messages[-1]["content"]
        return answer


def connect(widget: Any) -> Wire:
    widget.comm = wire = Wire()
    return wire


def test_the_canvas_answers_with_the_drawings_own_number_what_the_model_saw_and_said() -> None:
    looked: list[np.ndarray] = []

    def look(ink: np.ndarray) -> ui.Answer:
        looked.append(ink.copy())
        return ui.Answer([0.25, 0.75], seen=ink[:2, :2])

    ink = np.arange(12, dtype=np.uint8).reshape(3, 4)
    answer = connect(ui.Canvas(look, ["a", "b"])).draw(ink, id=7)
    assert answer["id"] == 7
    assert answer["probabilities"] == [0.25, 0.75]
    assert answer["seen"].startswith("data:image/png;base64,")
    np.testing.assert_array_equal(looked[0], ink)


def test_nothing_drawn_is_an_answer_of_its_own() -> None:
    answer = connect(ui.Canvas(lambda ink: None, ["a"])).draw(np.zeros((3, 3), np.uint8))
    assert answer["probabilities"] is None
    assert answer["text"] == "Nothing drawn yet."


def test_an_error_of_the_model_is_shown_where_the_drawing_is() -> None:
    def look(ink: np.ndarray) -> ui.Answer:
        raise ValueError("no such layer")

    answer = connect(ui.Canvas(look, ["a"])).draw(np.ones((3, 3), np.uint8))
    assert answer["text"] == "ValueError: no such layer"


@pytest.mark.parametrize(
    "size", [{"width": 4}, {"width": -3}, {"height": 10**9}, {"height": None}, {"width": "3"}]
)
def test_a_drawing_of_another_size_than_it_says_is_refused(size: dict[str, Any]) -> None:
    canvas = ui.Canvas(lambda ink: pytest.fail("looked at"), ["a"])
    answer = connect(canvas).draw(np.ones((3, 3), np.uint8), **size)
    assert answer["probabilities"] is None
    assert "Received" in answer["text"]


def test_thinned_curves_keep_their_ends_and_their_peaks() -> None:
    x, y = np.arange(10_000.0), np.sin(np.arange(10_000) / 500)
    y[1234], y[4321] = 7, -7
    thin_x, thin_y = thin(x.tolist(), y.tolist(), limit=400)
    assert len(thin_x) <= 400
    assert (thin_x[0], thin_x[-1]) == (0, 9_999)
    assert {7.0, -7.0} <= set(thin_y)
    assert thin_x == sorted(thin_x)


def test_curves_that_did_not_change_send_nothing() -> None:
    chart = ui.Curves()
    wire = connect(chart)
    chart.show(ui.Series("training", [0.0, 1.0], [2.0, 1.0]))
    sent = len(wire.messages)
    assert sent
    chart.show(ui.Series("training", [0.0, 1.0], [2.0, 1.0]))
    assert len(wire.messages) == sent


def test_a_picture_becomes_a_png_whose_alpha_is_the_ink() -> None:
    ink = np.random.default_rng(0).integers(0, 256, (28, 20), np.uint8)
    png = base64.b64decode(data_url(ink).removeprefix("data:image/png;base64,"))
    decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    np.testing.assert_array_equal(decoded[..., 3], ink)
    assert decoded[..., :3].max() == 0


def test_a_bar_tells_its_state_and_the_words_for_it_in_one_message() -> None:
    bar = ui.ProgressBar(label="Training", text="Not trained yet.")
    wire = connect(bar)
    bar.show("running", None, "Preparing …")
    bar.show("running", None, "Preparing …")
    (sent,) = wire.messages
    assert sent["state"] == {"state": "running", "value": None, "text": "Preparing …"}


def test_chosen_files_come_whole_and_what_the_browser_lost_is_told() -> None:
    lost: list[BadInput] = []
    button = FileButton("Upload", lost.append, multiple=True)
    wire = connect(button)

    def send(content: dict[str, Any], *buffers: bytes) -> None:
        data = {"method": "custom", "content": content}
        wire.receive({"content": {"data": data}, "buffers": [memoryview(buffer) for buffer in buffers]})

    send({"kind": "files", "names": ["a.py", "b.csv"]}, b"one", b"")
    assert [(file["name"], file["size"], file["content"]) for file in button.value] == [
        ("a.py", 3, b"one"),
        ("b.csv", 0, b""),
    ]
    assert wire.messages == [], "files are not sent back"
    kept = button.value
    send({"kind": "lost", "why": "NotReadableError"})
    send({"kind": "files", "names": ["a.py"]})
    send({"kind": "files", "names": "a"}, b"one")
    assert button.value == kept
    assert "NotReadableError; choose it again" in str(lost[0])
    assert len(lost) == 3


def test_larger_files_come_in_pieces_and_not_beyond_the_limit() -> None:
    lost: list[BadInput] = []
    button = FileButton("Upload", lost.append, most=10, multiple=True)
    wire = connect(button)

    def send(content: dict[str, Any], *buffers: bytes) -> list[dict[str, Any]]:
        before = len(wire.messages)
        data = {"method": "custom", "content": content}
        wire.receive({"content": {"data": data}, "buffers": [memoryview(buffer) for buffer in buffers]})
        return [message["content"] for message in wire.messages[before:]]

    names = {"kind": "begin", "names": ["a", "empty", "b"], "sizes": [5, 0, 3]}
    assert send(names) == [{"kind": "want", "number": 0, "offset": 0, "sent": 0}]
    assert send({"kind": "piece", "number": 0, "offset": 0}, b"one") == [
        {"kind": "want", "number": 0, "offset": 3, "sent": 3}
    ]
    assert send({"kind": "piece", "number": 0, "offset": 0}, b"one") == [], "it is there already"
    assert send({"kind": "piece", "number": 0, "offset": 3}, b"--") == [
        {"kind": "want", "number": 2, "offset": 0, "sent": 5}
    ]
    assert not list(button.value)
    assert send({"kind": "piece", "number": 2, "offset": 0}, b"two") == [{"kind": "rest"}]
    assert [(file["name"], file["content"]) for file in button.value] == [
        ("a", b"one--"),
        ("empty", b""),
        ("b", b"two"),
    ]
    send({"kind": "begin", "names": ["c"], "sizes": [4]})
    send({"kind": "cancel"})
    send({"kind": "piece", "number": 0, "offset": 0}, b"late")
    assert send({"kind": "begin", "names": ["d"], "sizes": [11]}) == [{"kind": "rest"}]
    send({"kind": "refused", "why": "d: 0.0 MB"})
    assert len(button.value) == 3
    assert [str(one).partition(":")[0] for one in lost] == ["at most 10 bytes are taken. Received", "d"]


def test_captions_and_labels_are_text_not_html() -> None:
    picture = np.zeros((1, 2, 2))
    assert "<script" not in ui.pictures(picture, ["<script>"]).html
    found = evaluate(lambda x: np.array([[0.1, 0.9]]), (picture, np.array([0])), ("<script>a", "b"))
    assert isinstance(found, Evaluation)
    assert "<script" not in ui.report(found, picture).html
    assert "<script" not in ui.answer(ui.Answer([0.9, 0.1]), ["<script>", "b"]).html
    assert "<script" not in pieces.banner("<script>", "<script>", detail="<script>")
    assert "<script" not in pieces.waiting("<script>")


def test_the_report_gives_the_interval_what_was_mistaken_and_the_worst_mistakes() -> None:
    x = np.zeros((4, 28, 28, 1), np.uint8)
    outputs = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.99, 0.01]])
    found = evaluate(lambda _: outputs, (x, np.array([0, 1, 0, 1])), ("cat", "dog"))
    assert isinstance(found, Evaluation)
    html = ui.report(found, x).html
    assert "75.00 % right" in html
    assert f"{100 * found.low:.2f} %" in html
    assert "The worst mistake" in html
    assert '<b>dog</b>, said <span class="wb-wrong">cat</span>' in html


def test_a_report_without_mistakes_says_so() -> None:
    x = np.zeros((2, 28, 28))
    found = evaluate(lambda _: np.eye(2), (x, np.array([0, 1])))
    assert isinstance(found, Evaluation)
    assert "No mistakes" in ui.report(found, x).html


def test_a_banner_shows_the_users_own_line_and_none_of_ours() -> None:
    source = "def build():\n    layers = 3\n    return layers / 0\n"
    space: dict[str, Any] = {}
    exec(compile(source, "/tmp/ipykernel_1/2.py", "exec"), space)
    with pytest.raises(ZeroDivisionError) as caught:
        space["build"]()
    html = pieces.error_banner(caught.value, "Training")
    assert '<pre tabindex="0" role="region"' in html, "long lines are reached by keys"
    assert "Training failed" in html
    assert "ZeroDivisionError: division by zero" in html
    assert "your cell, line 3, in build" in html
    assert "site-packages" not in html


def test_a_banner_has_no_colours_of_the_terminal() -> None:
    html = pieces.error_banner(ValueError("\x1b[1mwrong shape\x1b[0m"), "Training")
    assert "ValueError: wrong shape<" in html


def test_a_recipe_error_brings_its_own_traceback() -> None:
    error = RecipeError(
        "training, line 3: NameError: x", traceback='  File "training.py", line 3\nNameError: x\n'
    )
    assert pieces.users_lines(error) == '  File "training.py", line 3\nNameError: x'


def test_no_widget_names_another_host() -> None:
    for text in (Canvas._esm, *(theme.esm(name) + theme.css() for name in ("curves", "progress", "html"))):
        assert "https://" not in text.replace("(https://www.w3.org/TR/png/)", "")
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
