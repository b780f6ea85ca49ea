"""Digits that were asked for: kept with their writer, limited for each, and taken back by who gave them."""

import io
import json
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.app import create_app
from backend.corrections import pace
from backend.corrections.store import Corrections
from backend.corrections.values import Giver
from tests.backend.client import Answer, Client
from tests.backend.corrections.test_corrections import body, drawing, listed
from tests.backend.real_server import BEARER
from workbench.errors import TooMany
from workbench.settings import Settings

ANNA, BOB = "a" * 32, "b" * 32


def give(client: Client, number: int = 0, digit: int = 7, **more: Any) -> Answer:
    told = {"kind": "collected", "session": ANNA, "writer": "Anna"} | more
    return client.post("/corrections", json=body(number, digit=digit) | told)


def take_back(client: Client, secret: object) -> Answer:
    return client.post("/corrections", json={"take_back": secret})


def test_a_collected_digit_is_kept_with_its_writer_and_what_the_model_thought(seven: Client) -> None:
    assert give(seven, digit=1, predicted=None).status_code == 201
    (kept,) = listed(seven)["corrections"]
    assert (kept["kind"], kept["writer"], kept["digit"], kept["predicted"]) == ("collected", "Anna", 1, 7)
    assert len(kept["probabilities"]) == 10
    assert kept["probabilities"][7] == pytest.approx(0.942, abs=0.01)
    assert (kept["doubt"], kept["model"], kept["version"]) == (None, "mnist-cnn", 7)
    assert kept["session"]
    assert ANNA not in str(listed(seven)), "who reads the list cannot go on as the writer"


def test_writers_of_the_same_name_stay_apart_and_one_without_a_name_has_a_session(seven: Client) -> None:
    for number, (session, writer) in enumerate([(ANNA, "Kim"), (BOB, "Kim"), ("c" * 16, ""), (ANNA, "Kim")]):
        assert give(seven, number, session=session, writer=writer).status_code == 201
    found = listed(seven)["corrections"]
    assert len({c["session"] for c in found}) == 3
    assert found[0]["session"] == found[3]["session"]


def test_without_a_model_digits_are_collected_all_the_same(client: Client) -> None:
    assert give(client, predicted=None).status_code == 201
    (kept,) = listed(client)["corrections"]
    assert (kept["probabilities"], kept["predicted"], kept["model"]) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  Anna\n Maria ", "Anna Maria"),
        ("Zoë 😀", "Zoë 😀"),
        ("<b>&amp;", "<b>&amp;"),
        ("a\u202eb\u200bc\x00", "a b c"),
        ("", ""),
        (None, ""),
        (" \t", ""),
    ],
)
def test_a_name_is_kept_as_one_reads_it(seven: Client, given: object, kept: str) -> None:
    assert give(seven, writer=given).status_code == 201
    assert listed(seven)["corrections"][0]["writer"] == kept


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "scanned"},
        {"kind": 5},
        {"kind": None},
        {"session": ""},
        {"session": "short"},
        {"session": "x" * 65},
        {"session": 5},
        {"session": "blank blank blank"},
        {"writer": "n" * 41},
        {"writer": ["Anna"]},
        {"image": "data:image/png;base64," + "A" * 600_000},
    ],
)
def test_what_cannot_be_collected_is_refused_in_words(shared_seven: Client, change: dict[str, Any]) -> None:
    answer = give(shared_seven, **change)
    assert 400 <= answer.status_code < 500
    assert answer.json["error"]["message"]
    assert listed(shared_seven)["counts"]["waiting"] == 0


def test_digits_are_not_collected_for_a_model_of_something_else(
    client: Client, push: Callable[..., Any], activate: Callable[..., Any]
) -> None:
    assert push(3, labels=["coat", "bag", *"abcdefgh"]).status_code == 201
    assert activate(3).status_code == 200
    refused = give(client)
    assert refused.status_code == 409
    assert "does not read digits" in refused.json["error"]["message"]
    assert client.post("/corrections", json=body(digit=1)).status_code == 201, "its own classes are corrected"


# ── limits ──


def keep(store: Corrections, number: int, session: str, *, visitor: str = "203.0.113.5") -> None:
    given = Giver(visitor, "collected", "", session)
    store.keep(drawing(number % 80), number // 80, giver=given, key="k", now=1000.0)


def test_a_writer_is_slowed_down_and_the_rest_of_the_class_behind_the_same_address_is_not(
    tmp_path: Path,
) -> None:
    store = Corrections(tmp_path)
    for number in range(pace.PER_WRITER):
        keep(store, number, ANNA)
    with pytest.raises(TooMany, match="from one writer"):
        keep(store, 100, ANNA)
    for number in range(pace.PER_WRITER, 2 * pace.PER_WRITER):
        keep(store, number, BOB)
    store.keep(
        drawing(0), 9, giver=Giver("203.0.113.5"), key="k", now=1000.0
    )  # a correction is counted apart


def test_an_address_and_all_together_are_limited_whatever_sessions_they_make_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "PER_CLASS", 5)
    monkeypatch.setattr(pace, "PER_COLLECTING", 8)
    store = Corrections(tmp_path)
    for number in range(5):
        keep(store, number, f"{number:016}")
    with pytest.raises(TooMany):
        keep(store, 5, f"{5:016}")
    for number in range(5, 8):
        keep(store, number, ANNA, visitor=f"203.0.113.{number}0")
    with pytest.raises(TooMany):
        keep(store, 8, BOB, visitor="203.0.113.99")


def test_one_writer_gives_so_many_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PER_SESSION", 3)
    store = Corrections(tmp_path)
    for number in range(3):
        keep(store, number, ANNA)
    with pytest.raises(TooMany, match="no more than 3"):
        keep(store, 3, ANNA)
    keep(store, 3, BOB)


# ── taking back ──


@pytest.mark.parametrize("collected", [False, True])
def test_who_gave_a_drawing_takes_it_back_while_it_waits_and_it_is_gone(
    seven: Client, here: Settings, collected: bool
) -> None:
    answer = give(seven) if collected else seven.post("/corrections", json=body())
    secret = answer.json["secret"]
    assert len(secret) >= 22
    assert secret.encode() not in (here.backend / "corrections.db").read_bytes()
    assert take_back(seven, secret).json == {"taken_back": 1, "reviewed": 0, "unknown": 0}
    assert listed(seven) == {
        "corrections": [],
        "next": None,
        "counts": {"waiting": 0, "accepted": 0, "rejected": 0},
    }
    assert take_back(seven, secret).status_code == 404
    again = give(seven) if collected else seven.post("/corrections", json=body())
    assert again.status_code == 201, "one may change one's mind twice"


@pytest.mark.parametrize("verdict", ["accept", "reject"])
def test_what_was_reviewed_stays(seven: Client, verdict: str) -> None:
    answer = seven.post("/corrections", json=body()).json
    seven.post(f"/corrections:{verdict}", json={"ids": [answer["id"]]}, headers=BEARER)
    refused = take_back(seven, answer["secret"])
    assert refused.status_code == 409
    assert "reviewed" in refused.json["error"]["message"]
    assert sum(listed(seven)["counts"].values()) == 1
    seven.post("/corrections:reopen", json={"ids": [answer["id"]]}, headers=BEARER)
    assert take_back(seven, answer["secret"]).status_code == 200


def test_many_are_taken_back_at_once_and_each_is_told(seven: Client) -> None:
    given = [give(seven, number).json for number in range(3)]
    seven.post("/corrections:accept", json={"ids": [given[0]["id"]]}, headers=BEARER)
    answer = take_back(seven, [g["secret"] for g in given] + ["unknown"])
    assert answer.json == {"taken_back": 2, "reviewed": 1, "unknown": 1}
    assert [c["id"] for c in listed(seven)["corrections"]] == [given[0]["id"]]


@pytest.mark.parametrize("secret", [None, "", [], 5, [5], {"id": "x"}, ["s"] * 501, "s" * 65])
def test_what_is_no_secret_takes_nothing_back(seven: Client, secret: object) -> None:
    give(seven)
    assert take_back(seven, secret).status_code == 400
    assert listed(seven)["counts"]["waiting"] == 1


def test_neither_an_id_nor_the_same_drawing_gives_anybody_else_the_right_to_take_it_back(
    seven: Client,
) -> None:
    mine = give(seven).json
    others = give(seven, session=BOB)
    assert (others.status_code, others.json["new"]) == (200, False)
    assert "secret" not in others.json
    correction = seven.post("/corrections", json=body(0, digit=7)).json
    assert "secret" not in correction
    assert take_back(seven, mine["id"]).status_code == 404
    assert listed(seven)["counts"]["waiting"] == 1


def test_a_page_that_missed_the_answer_sends_again_and_gets_a_secret_that_holds(seven: Client) -> None:
    first, again = give(seven).json, give(seven).json
    assert again["new"] is False
    assert take_back(seven, first["secret"]).status_code == 404
    assert take_back(seven, again["secret"]).status_code == 200


# ── what was there before, and what goes out ──


def test_a_file_of_the_version_before_is_taken_over_with_what_is_in_it(here: Settings) -> None:
    here.backend.mkdir(parents=True)
    with sqlite3.connect(here.backend / "corrections.db") as old:
        old.executescript(
            "CREATE TABLE corrections (number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, t TEXT NOT NULL, "
            "state TEXT NOT NULL, predicted INTEGER, digit INTEGER NOT NULL, model TEXT, version INTEGER, "
            "picture BLOB NOT NULL, seen BLOB NOT NULL);"
            "CREATE TABLE posts (visitor TEXT NOT NULL, t REAL NOT NULL);"
        )
        row = (1, "e" * 64, "2026-11-22T10:00:00Z", "accepted", 7, 1, "mnist-cnn", 7, drawing(), bytes(784))
        old.execute("INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    old.close()
    client = Client(create_app(here))
    (kept,) = listed(client)["corrections"]
    assert (kept["id"], kept["kind"], kept["writer"], kept["model"]) == (
        "e" * 64, "correction", "", "mnist-cnn",
    )  # fmt: skip
    assert give(client).status_code == 201
    assert exported(client)["count"] == 1


def exported(client: Client) -> Any:
    answer = client.get("/corrections/export.zip", headers=BEARER)
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        return json.loads(archive.read("manifest.json"))


def test_an_export_tells_each_drawings_kind_and_writer(seven: Client) -> None:
    ids = [
        seven.post("/corrections", json=body(0)).json["id"],
        give(seven, 1).json["id"],
        give(seven, 2, session=BOB, writer="").json["id"],
    ]
    seven.post("/corrections:accept", json={"ids": ids}, headers=BEARER)
    told = {c["id"]: c for c in exported(seven)["corrections"]}
    assert [told[i]["kind"] for i in ids] == ["correction", "collected", "collected"]
    assert [told[i]["writer"] for i in ids] == ["", "Anna", ""]
    assert len({told[i]["session"] for i in ids}) == 3
    assert "secret" not in str(told)
