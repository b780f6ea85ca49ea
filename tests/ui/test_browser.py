"""What the browser keeps and who the requester is, as seen from the kernel. No browser."""

from typing import Any

import pytest

from tests.ui.test_widgets import Wire, connect
from workbench import ui
from workbench.errors import BadInput


def tell(wire: Wire, **content: Any) -> None:
    """Send a message as the page does."""
    wire.receive({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})


def asked(wire: Wire) -> list[dict[str, Any]]:
    """What the page was asked to keep."""
    return [m["content"] for m in wire.messages if m.get("method") == "custom"]


@pytest.fixture
def browser() -> ui.Browser:
    return ui.Browser("requester", "draft")


def test_before_a_visitor_comes_nothing_is_known_and_nobody_looks(browser: ui.Browser) -> None:
    assert (browser["draft"], browser.ready, browser.visible) == (None, False, False)


def test_the_browser_tells_its_values_when_the_page_is_shown(browser: ui.Browser) -> None:
    seen: list[Any] = []
    browser.observe_value("requester", seen.append)
    browser.on_ready(lambda: seen.append(("ready", browser["draft"])))
    tell(connect(browser), kind="here", values={"requester": "ada", "draft": None}, visible=True)
    assert seen == ["ada", ("ready", None)]
    assert browser.ready
    assert browser.visible


def test_what_is_set_is_sent_once_and_only_to_a_browser_that_is_there(browser: ui.Browser) -> None:
    wire = connect(browser)
    browser["draft"] = {"training": "x = '\"ü\n'"}
    assert asked(wire) == []
    tell(wire, kind="here", values={"requester": "ada", "draft": {"training": "old"}}, visible=True)
    browser["draft"] = {"training": "x = '\"ü\n'"}
    browser["requester"] = "eve"
    assert asked(wire) == [
        {"kind": "set", "name": "draft", "value": {"training": "x = '\"ü\n'"}},
        {"kind": "set", "name": "requester", "value": "eve"},
    ]


def test_another_tab_and_the_pages_visibility_are_followed(browser: ui.Browser) -> None:
    wire = connect(browser)
    seen: list[Any] = []
    browser.observe_value("requester", seen.append)
    browser.observe(lambda change: seen.append(change["new"]), "visible")
    tell(wire, kind="here", values={}, visible=True)
    tell(wire, kind="changed", name="requester", value="eve")
    tell(wire, kind="changed", name="requester", value="eve")
    tell(wire, kind="visible", visible=False)
    assert seen == [True, "eve", False]
    assert asked(wire) == []


def test_a_browser_that_keeps_nothing_says_why(browser: ui.Browser) -> None:
    tell(connect(browser), kind="problem", text="quota exceeded")
    assert browser.problem == "quota exceeded"


def test_unknown_names_and_huge_values_are_refused(browser: ui.Browser) -> None:
    with pytest.raises(BadInput, match=r"keeps requester, draft\. Received: 'token'"):
        browser["token"] = "secret"
    with pytest.raises(BadInput, match="at most 1,000,000 characters"):
        browser["draft"] = "x" * 1_000_001


@pytest.fixture
def requester() -> tuple[ui.Requester, Wire, Wire]:
    """A requester, its own connection to the page, and that of its browser."""
    widget = ui.Requester("login")
    return widget, connect(widget), connect(widget._browser)


def test_a_new_visitor_is_asked_and_the_answer_is_kept(
    requester: tuple[ui.Requester, Wire, Wire],
) -> None:
    widget, wire, browser = requester
    names: list[str] = []
    widget.on_name(names.append)
    assert (widget.name, widget.asking) == ("", False)
    tell(browser, kind="here", values={"requester": None}, visible=True)
    assert (widget.name, widget.asking, widget.suggested) == ("", True, "login")
    tell(wire, kind="name", name="  Ada Lovelace ")
    assert (widget.name, widget.asking, names) == ("Ada Lovelace", False, ["Ada Lovelace"])
    assert asked(browser) == [{"kind": "set", "name": "requester", "value": "Ada Lovelace"}]


def test_whom_the_browser_knows_is_not_asked(requester: tuple[ui.Requester, Wire, Wire]) -> None:
    widget, _, browser = requester
    tell(browser, kind="here", values={"requester": "ada"}, visible=True)
    names: list[str] = []
    widget.on_name(names.append)
    tell(browser, kind="changed", name="requester", value="eve")
    assert (widget.name, widget.asking, names) == ("eve", False, ["ada", "eve"])


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "x" * 256, "line\nbreak"])
def test_what_is_no_name_is_refused_and_the_one_before_stays(
    requester: tuple[ui.Requester, Wire, Wire], name: str
) -> None:
    widget, wire, browser = requester
    tell(browser, kind="here", values={"requester": "ada"}, visible=True)
    tell(wire, kind="name", name=name)
    assert widget.name == "ada"
    assert "255 characters" in widget.problem or "too long" in widget.problem
    tell(wire, kind="name", name="eve")
    assert (widget.name, widget.problem) == ("eve", "")
