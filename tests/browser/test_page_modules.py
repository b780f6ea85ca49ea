"""The page's pure functions, each given its arguments in the browser that runs them."""

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Front
from tests.browser.drawing import visit

pytestmark = pytest.mark.usefixtures("browser")


@pytest.fixture(scope="module")
def page(browser: Browser, shared_front: Front) -> Iterator[Page]:
    shared_front.backend.start()
    with visit(browser, shared_front.url) as (page, _):
        yield page


def run(page: Page, module: str, code: str, *arguments: Any) -> Any:
    """What a function of ``(m, ...arguments)`` gives, ``m`` being the module."""
    script = f"([args]) => import('/static/{module}.js').then((m) => ({code})(m, ...args))"
    return page.evaluate(script, [list(arguments)])


def stroke(*points: tuple[float, float], width: float = 15) -> dict[str, Any]:
    return {"width": width, "points": [list(point) for point in points]}


def picture(page: Page, drawing: list[dict[str, Any]]) -> np.ndarray:
    """The picture that would be sent."""
    url = run(page, "picture", "(m, drawing) => m.dataUrl(drawing)", drawing)
    kind, _, data = url.partition(",")
    assert kind == "data:image/png;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    assert decoded.ndim == 2  # grey
    return decoded


# ── the picture ──


def test_the_picture_is_white_ink_in_the_middle_of_black(page: Page) -> None:
    seen = picture(page, [stroke((200, 200), (240, 260))])
    assert seen.shape == (112, 112)
    rows, columns = np.nonzero(seen > 127)
    assert (rows.max() - rows.min() + 1, seen.max()) == (80, 255)
    assert abs((rows.max() + rows.min()) / 2 - 55.5) <= 1
    assert abs((columns.max() + columns.min()) / 2 - 55.5) <= 1
    assert max(seen[0].max(), seen[-1].max(), seen[:, 0].max(), seen[:, -1].max()) == 0


def test_the_picture_is_the_drawing_as_another_painter_paints_it(page: Page) -> None:
    points = [(60, 60), (220, 70), (190, 120), (120, 240), (60, 200)]
    mine = picture(page, [stroke(*points, width=24)])
    scale = 80 / (240 + 12 - (60 - 12))
    large = np.zeros((1120, 1120), np.uint8)
    middle = np.array([(60 - 12 + 220 + 12) / 2, (60 - 12 + 240 + 12) / 2])
    placed = (((np.array(points) - middle) * scale + 56) * 10).round().astype(int)
    cv2.polylines(large, [placed.reshape(-1, 1, 2)], False, 255, round(24 * scale * 10))
    theirs = cv2.resize(large, (112, 112), interpolation=cv2.INTER_AREA)
    assert np.abs(mine.astype(int) - theirs).mean() < 1.5


def test_the_picture_holds_no_ink_that_is_beyond_the_paper(page: Page) -> None:
    seen = picture(page, [stroke((140, 140), (140, 900), width=20)])
    rows, columns = np.nonzero(seen > 127)
    # from 130 to the paper's end at 280: 150 high, 20 wide
    assert rows.max() - rows.min() + 1 == 80
    assert columns.max() - columns.min() + 1 == pytest.approx(80 * 20 / 150, abs=2)


def test_a_dot_has_a_picture_and_a_long_scribble_too(page: Page) -> None:
    assert 0.3 < (picture(page, [stroke((140, 140), width=50)]) > 127).mean() < 0.5
    angles = np.linspace(0, 60, 4000)
    scribble = [(140 + 100 * np.cos(a), 140 + 100 * np.sin(1.7 * a)) for a in angles]
    assert (picture(page, [stroke(*scribble, width=30)]) > 127).mean() > 0.3


def test_the_picture_is_small(page: Page) -> None:
    url = run(
        page, "picture", "(m, drawing) => m.dataUrl(drawing)", [stroke((60, 60), (220, 60), (120, 240))]
    )
    assert len(url) < 1500


# ── the drawing ──


def history(page: Page, code: str) -> list[int]:
    """The numbers of strokes after each step that ``code`` lists."""
    script = f"""(m) => {{
        const stroke = {{width: 15, points: [[100, 100]]}};
        const draw = (h) => m.drawn(h, stroke), undo = m.undone, redo = m.redone, clear = m.cleared;
        let h = m.blank;
        return {code}.map((step) => {{ h = step(h); return h.drawing.length; }});
    }}"""
    return list(run(page, "drawing", script))


def test_what_was_drawn_is_undone_and_redone_in_order(page: Page) -> None:
    assert history(page, "[draw, draw, undo, undo, undo, redo, redo, redo]") == [1, 2, 1, 0, 0, 1, 2, 2]


def test_clearing_can_be_undone(page: Page) -> None:
    assert history(page, "[draw, draw, clear, clear, undo, undo]") == [1, 2, 0, 0, 2, 1]


def test_drawing_after_an_undo_forgets_what_was_undone(page: Page) -> None:
    assert history(page, "[draw, draw, undo, draw, redo]") == [1, 2, 1, 2, 2]


def test_a_stroke_that_never_touches_the_paper_is_none(page: Page) -> None:
    code = "(m, points) => m.drawn(m.blank, {width: 15, points}).drawing.length"
    assert run(page, "drawing", code, [[-20, -20], [-30, 40]]) == 0
    assert run(page, "drawing", code, [[-5, 140]]) == 1


@pytest.mark.parametrize(
    "text", ["", "x", "null", "{}", "[1]", '[{"width":15}]', '[{"width":999,"points":[[1,2]]}]',
             '[{"width":15,"points":[[1,"2"]]}]', '[{"width":15,"points":[]}]', "[null]"],
)  # fmt: skip
def test_what_is_no_saved_drawing_restores_as_an_empty_one(page: Page, text: str) -> None:
    assert run(page, "drawing", "(m, text) => m.restored(text)", text) == []


def test_a_saved_drawing_is_restored(page: Page) -> None:
    drawing = [stroke((1.5, 2), (3, 4))]
    assert run(page, "drawing", "(m, text) => m.restored(text)", json.dumps(drawing)) == drawing


# ── asking ──


class Conversation:
    """The states of asking.js under a clock of the test's own."""

    def __init__(self, page: Page) -> None:
        self.page, self.now = page, 0
        self.state: Any = None
        self.last: dict[str, Any] = {}

    def tell(self, kind: str, **more: Any) -> "Conversation":
        code = "(m, state, event, now) => m.next(state ?? m.start, event, now)"
        self.last = run(self.page, "asking", code, self.state, {"type": kind, **more}, self.now)
        self.state = self.last["state"]
        return self

    def drew(self, *, inked: bool = True, another: bool = False) -> "Conversation":
        return self.tell("drew", inked=inked, another=another)

    def came(self, kind: str, **more: Any) -> "Conversation":
        return self.tell("came", outcome={"kind": kind, "luck": 0.5, **more})

    def answered(self, digit: int = 7) -> "Conversation":
        answer = {"digit": digit, "probabilities": [0.1] * 10}
        return self.came("answer", answer=answer, model={"name": "m", "version": 1})

    def after(self, ms: int) -> "Conversation":
        self.now += ms
        return self

    @property
    def sent(self) -> str | None:
        return self.last.get("send")

    @property
    def wakes(self) -> int | None:
        return self.last.get("wake")


@pytest.fixture
def talk(page: Page) -> Conversation:
    """A page that has found its back end ready, and knows the model."""
    talk = Conversation(page).drew(inked=False, another=True)
    assert talk.sent == "readyz"
    assert talk.came("ready").sent == "models"
    return talk.came("models", model={"name": "m", "version": 1}).after(1000)


def test_while_one_request_is_under_way_no_other_is_sent_and_then_the_latest_drawing_is(
    talk: Conversation,
) -> None:
    assert talk.drew().sent == "predict"
    for _ in range(5):
        assert talk.after(20).drew().sent is None
    assert talk.tell("pressed").sent is None
    talk.after(200).answered()
    assert talk.sent == "predict"
    assert talk.state["flight"]["revision"] == talk.state["revision"]


def test_drawings_are_asked_about_at_a_pace(talk: Conversation) -> None:
    assert talk.drew().sent == "predict"
    talk.after(5).answered().drew()
    assert (talk.sent, talk.wakes) == (None, 120)
    assert talk.after(120).tell("woke").sent == "predict"


def test_the_button_does_not_wait_for_the_pace(talk: Conversation) -> None:
    talk.drew().after(5).answered()
    assert talk.tell("pressed").sent == "predict"


def test_an_answer_about_a_drawing_that_is_gone_is_dropped(talk: Conversation) -> None:
    talk.drew().drew(inked=False, another=True).after(100).answered()
    assert (talk.state["answer"], talk.sent) == (None, None)
    talk.after(500).drew().answered(7)
    talk.after(500).drew().drew(another=True).answered(3)  # undone while the request was under way
    assert talk.state["answer"]["digit"] == 7
    assert talk.after(200).tell("woke").sent == "predict"
    assert talk.answered(1).state["answer"]["digit"] == 1


def test_an_answer_about_a_drawing_that_has_only_grown_is_shown(talk: Conversation) -> None:
    talk.drew().after(50).drew().answered(3)
    assert talk.state["answer"]["digit"] == 3


def test_nothing_is_asked_about_an_empty_paper(talk: Conversation) -> None:
    assert talk.tell("pressed").sent is None
    assert talk.drew(inked=False).sent is None


def test_while_the_back_end_is_away_it_is_asked_ever_more_seldom_and_about_the_drawing_when_it_is_back(
    talk: Conversation,
) -> None:
    talk.drew().came("away")
    waits = []
    for _ in range(8):
        assert talk.sent is None
        waits.append(talk.wakes)
        assert talk.after(talk.wakes or 0).tell("woke").sent == "readyz"
        talk.came("away")
    assert waits == [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]
    assert talk.tell("nudged").sent == "readyz"
    assert talk.came("ready").sent == "predict"


def test_while_the_first_model_is_trained_its_progress_is_asked_for_each_second(talk: Conversation) -> None:
    assert talk.drew().came("unready").sent == "readyz"
    for step in (10, 20):
        talk.came("waiting", progress={"state": "training", "message": "", "step": step, "of": 630})
        assert (talk.sent, talk.wakes, talk.state["progress"]["step"]) == (None, 1000, step)
        assert talk.drew().sent is None
        assert talk.after(1000).tell("woke").sent == "readyz"
    assert talk.came("ready").sent == "predict"


def test_a_back_end_that_says_ready_and_yet_does_not_answer_is_not_pestered(talk: Conversation) -> None:
    talk.drew()
    sent = 0
    end = talk.now + 20_000
    while talk.now < end:
        if talk.sent == "predict":
            sent += 1
            talk.came("unready")
        elif talk.sent == "readyz":
            talk.came("ready")
        else:
            talk.after(talk.wakes or 0).tell("woke")
        assert sent < 20
    assert 3 <= sent <= 8


def test_when_it_asks_for_a_pause_it_gets_one(talk: Conversation) -> None:
    talk.drew().came("limited", pause=3000)
    assert (talk.sent, talk.wakes) == (None, 3000)
    assert talk.after(1000).drew().sent is None
    assert talk.tell("pressed").sent is None
    assert talk.after(2000).tell("woke").sent == "predict"


def test_a_pause_ends_though_nothing_is_drawn_any_more(talk: Conversation) -> None:
    talk.drew().came("limited", pause=3000).drew(inked=False, another=True)
    talk.after(3000).tell("woke")
    assert (talk.state["link"], talk.sent) == ("ready", None)


def test_a_refusal_is_shown_and_not_repeated(talk: Conversation) -> None:
    talk.drew().came("refused", message="damaged")
    assert (talk.sent, talk.state["problem"]) == (None, "damaged")
    assert talk.tell("pressed").sent == "predict"
    assert talk.state["problem"] is None


def test_a_request_that_takes_long_is_called_slow(talk: Conversation) -> None:
    talk.drew()
    assert talk.wakes == 1500
    assert talk.after(1500).tell("woke").state["slow"] is True
    assert talk.answered().state["slow"] is False


# ── what answers mean, and what is said ──


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"digit": 7, "probabilities": [0.1] * 10, "model": "m", "version": 1}, "answer"),
        (200, {"digit": None, "reason": "nothing drawn"}, "answer"),
        (200, {"login": "please"}, "away"),
        (400, {"error": {"code": "x", "message": "damaged"}}, "refused"),
        (413, {}, "refused"),
        (429, {}, "limited"),
        (500, {}, "refused"),
        (502, {}, "away"),
        (503, {"state": "training"}, "unready"),
        (504, {}, "away"),
        (507, {"error": {"code": "disk_full", "message": "the back end's disk is full"}}, "refused"),
        (302, {}, "away"),
    ],
)
def test_every_answer_to_a_drawing_has_a_meaning(
    page: Page, status: int, body: dict[str, Any], kind: str
) -> None:
    assert (
        run(page, "backend", "(m, status, body) => m.prediction(status, body, null)", status, body)["kind"]
        == kind
    )


def test_a_pause_is_as_long_as_asked_for_within_reason(page: Page) -> None:
    code = "(m, wait) => m.prediction(429, {}, wait).pause"
    assert [run(page, "backend", code, wait) for wait in ("3", "0", "9999", "soon", None)] == [
        3000, 1000, 60000, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0, "0 %"),
        (0.0004, "<0.1 %"),
        (0.001, "0.1 %"),
        (0.98234, "98.2 %"),
        (0.9999, ">99.9 %"),
        (1, "100 %"),
    ],
)
def test_no_probability_is_shown_as_more_certain_than_it_is(page: Page, p: float, text: str) -> None:
    assert run(page, "words", "(m, p) => m.percent(p)", p) == text


def test_progress_is_announced_by_quarters(page: Page) -> None:
    code = """(m, step) => m.announcement({link: "waiting", inked: false,
        progress: {state: "training", message: "step " + step, step, of: 100}})"""
    said = [run(page, "words", code, step) for step in range(0, 101, 5)]
    assert len(set(said[1:])) == 5
    assert "50 percent" in run(page, "words", code, 60)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"doubt": None}, ""),
        ({}, ""),
        ({"doubt": {"kind": "no_digit", "score": 0.9}}, "I don't see a digit"),
        ({"doubt": {"kind": "several"}, "parts": [{"digit": 4}, {"digit": 2}]}, "Two digits? 4 and 2"),
        (
            {"doubt": {"kind": "several"}, "parts": [{"digit": 4}, {"digit": 2}, {"digit": 0}]},
            "Three digits? 4, 2 and 0",
        ),
    ],
)
def test_doubt_is_said_as_what_it_is(page: Page, answer: dict[str, Any], text: str) -> None:
    assert run(page, "doubt", "(m, a) => m.doubt(a)", answer) == text


def test_pieces_are_offered_as_what_they_are_together(page: Page) -> None:
    several = {"doubt": {"kind": "several"}, "parts": [{"digit": 4}, {"digit": 0}, {"digit": 2}]}
    assert run(page, "doubt", "(m, a) => m.offer(a)", several) == "Read 402"
    for answer in ({"doubt": None, "parts": several["parts"]}, {"doubt": {"kind": "several"}}, {}):
        assert run(page, "doubt", "(m, a) => m.offer(a)", answer) == ""


@pytest.mark.parametrize(
    ("kept", "given"),
    [
        ('[{"digit": 4, "secret": "s"}]', [{"digit": 4, "secret": "s"}]),
        ('[{"digit": "4", "secret": "s"}, {"digit": 4, "secret": ""}, {"digit": 5}]', []),
        ("[null]", []),
        ("{}", []),
        ("", []),
        ("no JSON", []),
    ],
)
def test_what_was_given_is_read_back_as_far_as_it_is_sound(
    page: Page, kept: str, given: list[dict[str, Any]]
) -> None:
    assert run(page, "given", "(m, text) => m.restored(text)", kept) == given


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, "taken"), (404, "taken"), (409, "reviewed"), (503, "stuck"), (429, "stuck"), (502, "stuck")],
)
def test_a_drawing_that_nobody_knows_any_more_counts_as_taken_back(
    page: Page, status: int, kind: str
) -> None:
    assert run(page, "backend", "(m, status) => m.takenBack(status).kind", status) == kind


# ── what a writer is asked for ──


def collecting(page: Page, code: str, *arguments: Any) -> Any:
    return run(page, "collecting", f"(m, ...given) => {{ {code} }}", *arguments)


@pytest.mark.parametrize("each", [1, 3, 10])
def test_each_digit_is_asked_for_as_often_and_never_twice_in_a_row(page: Page, each: int) -> None:
    for order in collecting(page, "return Array.from({length: 200}, () => m.shuffled(given[0]))", each):
        assert sorted(order) == sorted(list(range(10)) * each)
        assert all(a != b for a, b in itertools.pairwise(order))


WRITER = """
    let s = m.begun("Anna", 1, [3, 1, 2], "0".repeat(32));
    const give = (image) => { const key = s.count; s = m.packed(m.give(s), key, image); };
    const send = (outcome) => { s = m.sent(m.sending(s, m.due(s).one), outcome); };
"""


def test_a_drawing_whose_answer_was_lost_is_sent_again_to_be_taken_back(page: Page) -> None:
    said = collecting(
        page,
        WRITER
        + """
        give("three");
        send({kind: "away"});
        const waits = m.due(s).one.image;
        s = m.back(s);
        const again = m.due(s);
        send({kind: "kept", secret: "x"});
        const then = m.due(s);
        s = m.takenBack(s, ["x"]);
        return [waits, again.what, again.one.image, then, m.due(s), m.wanted(s)];
        """,
    )
    assert said == ["three", "send", "three", {"what": "take back", "secrets": ["x"]}, None, 3]


def test_a_drawing_that_was_never_sent_is_simply_forgotten(page: Page) -> None:
    assert collecting(page, WRITER + 'give("three"); s = m.back(s); return m.due(s)') is None


def test_a_drawing_that_is_unwanted_while_it_is_sent_is_taken_back_once_it_is_kept(page: Page) -> None:
    said = collecting(
        page,
        WRITER
        + """
        give("three");
        s = m.sending(s, m.due(s).one);
        s = m.back(s);
        s = m.sent(s, {kind: "kept", secret: "x"});
        return [m.due(s), s.given];
        """,
    )
    assert said == [{"what": "take back", "secrets": ["x"]}, []]


def test_what_a_writer_gave_is_read_back_as_far_as_it_is_sound(page: Page) -> None:
    code = (
        WRITER
        + """
        give("three");
        send({kind: "kept", secret: "x"});
        give("one");
        const read = m.restored(JSON.stringify(m.sending(s, m.due(s).one)));
        const broken = ["", "[]", "{}", JSON.stringify({...s, session: "me"}), JSON.stringify({...s, order: [11]})];
        return [read.given.map((one) => one.state), m.due(read).one.image, broken.map((t) => m.restored(t).session)];
    """
    )
    assert collecting(page, code) == [["kept", "waiting"], "one", [""] * 5]


# ── see inside ──

KERNEL = {
    "shape": [2, 1, 2, 2],
    "weights": [1, 2, 3, 4, -1, 0, 0, 0.5],
    "bias": [10, 0],
    "strides": [2, 2],
    "pads": [1, 1, 0, 0],
    "dilations": [1, 1],
}
GIVEN = {"width": 3, "height": 3, "planes": [[0, 51, 102, 153, 204, 255, 0, 0, 51]], "range": [0, 5]}


def test_a_window_is_what_its_pixel_was_made_of(page: Page) -> None:
    found = run(page, "inside/windows", "(m, ...a) => m.windowAt(...a)", KERNEL, GIVEN, 0, 1, 1)
    assert [cell["value"] for cell in found["cells"]] == [4, 5, 0, 1]
    assert [cell["weight"] for cell in found["cells"]] == [1, 2, 3, 4]
    assert found["sum"] == 10 + 4 + 10 + 0 + 4
    corner = run(page, "inside/windows", "(m, ...a) => m.windowAt(...a)", KERNEL, GIVEN, 1, 0, 0)
    assert [cell["value"] for cell in corner["cells"]] == [0, 0, 0, 0]
    assert [(cell["x"], cell["y"]) for cell in corner["cells"]] == [(-1, -1), (0, -1), (-1, 0), (0, 0)]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.004, "0"), (-0.4, "−.40"), (0.999, "1.0"), (12.4, "12"), (-9.96, "−10"), (1.25, "1.3")],
)
def test_a_number_fits_into_a_cell(page: Page, value: float, text: str) -> None:
    assert run(page, "inside/windows", "(m, v) => m.short(v)", value) == text


def test_the_place_that_spoke_most_is_said(page: Page) -> None:
    changes = [0.0] * 49
    changes[0], changes[24], changes[48] = 1.0, 3.0, -2.0
    assert run(page, "inside/windows", "(m, c) => m.where(c, 7, 1)", changes) == "middle"
    assert run(page, "inside/windows", "(m, c) => m.where(c, 7, -1)", changes) == "bottom right"
    assert run(page, "inside/windows", "(m, c) => m.where(c, 7, 1)", [0.0] * 49) == ""


def looks(page: Page, *events: tuple[dict[str, Any], float]) -> list[Any]:
    """What is sent after each of the events, each at its time in ms."""
    code = """(m, events) => {
        let state = m.start;
        return events.map(([event, now]) => {
            const after = m.next(state, event, now);
            state = after.state;
            return after.send ?? after.wake ?? null;
        });
    }"""
    return list(run(page, "inside/looking", code, [list(pair) for pair in events]))


def test_one_look_at_a_time_and_never_before_the_panel_is_open(page: Page) -> None:
    answered = [{"type": "answered", "image": name} for name in "abc"]
    came = {"type": "came", "ok": True}
    assert looks(
        page,
        (answered[0], 0),
        ({"type": "opened"}, 10),
        (answered[1], 20),
        (answered[2], 30),
        (came, 40),
        ({"type": "woke"}, 160),
        (came, 170),
        (answered[2], 180),
    ) == [None, "a", None, None, 120, "c", None, None]


def test_a_refused_look_waits_before_the_next(page: Page) -> None:
    assert looks(
        page,
        ({"type": "opened"}, 0),
        ({"type": "answered", "image": "a"}, 0),
        ({"type": "came", "ok": False}, 100),
        ({"type": "woke"}, 1600),
    ) == [None, "a", 1500, "a"]


def test_only_the_first_convolution_is_said_to_look_at_the_drawing(page: Page) -> None:
    layer = {"kind": "convolution", "shape": [10, 12, 4], "after": "relu"}
    kernel = {"shape": [4, 1, 3, 5]}
    about = [run(page, "inside/says", "(m, ...a) => m.about(...a)", layer, kernel, first) for first in (1, 0)]
    each = "4 maps of 12 × 10, each made by one window of 5 × 3 that slides over"
    assert about == [
        f"{each} {over}, what is below zero is cut off" for over in ("the drawing", "the maps before")
    ]


# ── what the workbench's first page is told, and the way back to it ──


def test_who_came_from_the_workbench_gets_back_to_it_on_the_same_host_alone(page: Page) -> None:
    def back(search: str) -> str:
        place = {"protocol": "https:", "hostname": "[::1]", "search": search}
        return str(run(page, "back", "(m, place) => m.wayBack(place)", place))

    assert back("?dashboard=8888") == "https://[::1]:8888/workbench"
    for odd in (
        "",
        "?dashboard=",
        "?dashboard=65536",
        "?dashboard=evil.example",
        "?dashboard=80/x",
        "?dashboard=@",
    ):
        assert back(odd) == ""


def test_the_last_drawing_is_kept_for_the_first_page_alone(page: Page) -> None:
    answer = {
        "digit": 7,
        "probabilities": [0.0] * 7 + [0.9984, 0, 0],
        "seen": "data:image/png;base64,iVBOR+/=",
    }
    kept = run(page, "remember", "(m, a) => m.lastDrawing(a, 1700000000400)", answer)
    assert kept.startswith("workbench_drawing=7.0.998.1700000000.iVBOR+/=; path=/workbench; ")
    for odd in (
        {"digit": None},
        {"seen": "https://elsewhere.example/7.png"},
        {"seen": None},
        {"seen": "data:image/png;base64," + "A" * 9000},
    ):
        assert run(page, "remember", "(m, a) => m.lastDrawing(a, 0)", {**answer, **odd}) == ""
    assert page.evaluate("document.cookie") == ""  # this page gets none of them
