"""Corrections: stored once and safely, limited, reviewed, exported, and in the hands of a recipe."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.app import create_app
from backend.corrections import pace as module
from backend.corrections.store import Corrections
from backend.corrections.values import Giver, Kept
from tests.backend import making
from tests.backend.client import Answer, Client
from tests.backend.real_server import BEARER
from workbench.errors import Full, TooMany
from workbench.pictures.ink import decode, fit
from workbench.settings import PROJECT, Settings, from_environment


def drawing(number: int = 0) -> bytes:
    """A seven, another one for each number."""
    return making.png(making.seven(280 - 3 * number))


def body(number: int = 0, *, digit: object = 1, **more: object) -> dict[str, object]:
    return {"image": making.data_url(drawing(number)).decode(), "predicted": 7, "digit": digit, **more}


def listed(client: Client, **query: object) -> Any:
    return client.get("/corrections", query_string=query, headers=BEARER).json


def test_a_correction_is_kept_with_what_was_predicted_and_by_which_version(seven: Client) -> None:
    answer = seven.post("/corrections", json=body())
    assert answer.status_code == 201
    (kept,) = listed(seven)["corrections"]
    assert kept["id"] == answer.json["id"]
    assert (kept["state"], kept["predicted"], kept["digit"]) == ("waiting", 7, 1)
    assert (kept["model"], kept["version"]) == ("mnist-cnn", 7)
    assert kept["picture"].startswith("data:image/png;base64,")


def test_the_same_correction_is_kept_once_and_another_digit_is_another_one(seven: Client) -> None:
    first = seven.post("/corrections", json=body())
    again = seven.post("/corrections", json=body())
    assert (again.status_code, again.json["id"], again.json["new"]) == (200, first.json["id"], False)
    assert seven.post("/corrections", json=body(digit=2)).status_code == 201
    assert listed(seven)["counts"] == {"waiting": 2, "accepted": 0, "rejected": 0}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"digit": None}, 400),
        ({"digit": 10}, 400),
        ({"digit": -1}, 400),
        ({"digit": "7"}, 400),
        ({"digit": True}, 400),
        ({"predicted": 99}, 400),
        ({"image": None}, 400),
        ({"image": 5}, 400),
        ({"image": "data:text/plain;base64,AA=="}, 415),
        ({"image": making.data_url(b"no picture").decode()}, 415),
        ({"image": making.data_url(making.png(np.zeros((280, 280), np.uint8))).decode()}, 400),
    ],
)
def test_what_is_no_correction_is_refused_in_words_and_not_kept(
    seven: Client, change: dict[str, object], status: int
) -> None:
    answer = seven.post("/corrections", json=body() | change)
    assert answer.status_code == status
    assert answer.json["error"]["message"]
    assert listed(seven)["counts"]["waiting"] == 0


def test_one_visitor_is_slowed_down_and_others_are_not(seven: Client) -> None:
    def send(number: int, visitor: str) -> Answer:
        headers = {
            "X-Forwarded-For": visitor,
            "X-Workbench-Front": seven.application.config["FRONT_END_PROOF"],
        }
        return seven.post("/corrections", json=body(number), headers=headers)

    answers = [send(number, "203.0.113.5") for number in range(module.PER_VISITOR + 1)]
    assert [a.status_code for a in answers] == [201] * module.PER_VISITOR + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert send(60, "203.0.113.6").status_code == 201


def test_after_a_minute_a_visitor_may_go_on_and_addresses_are_not_kept(tmp_path: Path) -> None:
    store = Corrections(tmp_path)

    def keep(number: int, now: float) -> Kept:
        return store.keep(drawing(number), 1, predicted=7, giver=Giver("203.0.113.5"), key="k", now=now)

    for number in range(module.PER_VISITOR):
        keep(number, 1000.0)
    with pytest.raises(TooMany):
        keep(50, 1030.0)
    assert keep(50, 1061.0).new
    assert b"203.0.113" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_full_disk_is_said_and_nothing_is_half_there(tmp_path: Path) -> None:
    store = Corrections(tmp_path, max_bytes=80_000)
    noise = np.random.default_rng(0)
    kept, full = 0, ""
    while not full and kept < 40:
        ink = np.where(making.seven() > 0, noise.integers(100, 256, (280, 280)), 0).astype(np.uint8)
        try:
            store.keep(making.png(ink), 1, giver=Giver(str(kept)), key="k")
        except Full as error:
            full = str(error)
        else:
            kept += 1
    assert "no room" in full
    assert 0 < kept == store.counts()["waiting"] == len(list(store.all("waiting")))
    with sqlite3.connect(tmp_path / "corrections.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")
def test_a_disk_that_is_really_full_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    code = """
        import ctypes, json, pathlib, sys
        from backend.corrections.store import Corrections
        from backend.corrections.values import Giver
        from workbench.errors import Full
        from tests.backend.corrections.test_corrections import drawing
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.unshare(0x20000) == 0
        assert libc.mount(b"none", b"/", None, 1 << 18 | 16384, None) == 0
        folder = pathlib.Path(sys.argv[1])
        assert libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, b"size=400k") == 0
        store = Corrections(folder)
        keep = lambda n: store.keep(drawing(n), 1, predicted=7, giver=Giver(str(n)), key="k")
        keep(0)
        filler = (folder / "filler").open("wb", buffering=0)
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            pass
        try:
            for n in range(1, 60):
                keep(n)
            print("never full")
        except Full as error:
            filler.truncate(0)
            again = keep(70).new
            print(json.dumps([str(error), again, store.counts()["waiting"] == len(list(store.all("waiting")))]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "assert libc" in done.stderr:
        pytest.skip(f"no file system may be mounted here: {done.stderr.splitlines()[-2].strip()}")
    assert done.returncode == 0, done.stderr
    message, again, whole = json.loads(done.stdout)
    assert "no room" in message
    assert again
    assert whole


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    code = """
        import sys, pathlib
        from backend.corrections.store import Corrections
        from backend.corrections.values import Giver
        from tests.backend.corrections.test_corrections import drawing
        store = Corrections(pathlib.Path(sys.argv[1]))
        for number in range(1000):
            kept = store.keep(drawing(number % 80), number // 80 % 10, giver=Giver(str(number)), key="k",
                              now=1000.0 + 70 * number)
            print(kept.id, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout
        ids = [process.stdout.readline().decode().strip() for _ in range(12)]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.communicate()
    there = {c.id for c in Corrections(tmp_path).all("waiting")}
    assert set(ids) <= there
    assert len(there) <= len(ids) + 64  # no more than the pipe held


def test_reviewing_needs_the_token_and_moves_corrections_between_states(seven: Client) -> None:
    ids = [seven.post("/corrections", json=body(n)).json["id"] for n in range(3)]
    for method, path in (
        ("GET", "/corrections"),
        ("POST", "/corrections:accept"),
        ("POST", "/corrections:reject"),
        ("GET", "/corrections/export.zip"),
    ):
        assert seven.open(path, method=method, json={"ids": ids}).status_code == 401
    assert (
        seven.post("/corrections:accept", json={"ids": [ids[0][:8], ids[1]]}, headers=BEARER).status_code
        == 200
    )
    seven.post("/corrections:reject", json={"ids": [ids[2]]}, headers=BEARER)
    assert listed(seven)["counts"] == {"waiting": 0, "accepted": 2, "rejected": 1}
    assert [c["id"] for c in listed(seven, state="accepted")["corrections"]] == ids[:2]
    seven.post("/corrections:reject", json={"ids": [ids[0]]}, headers=BEARER)
    assert listed(seven)["counts"] == {"waiting": 0, "accepted": 1, "rejected": 2}


def test_a_review_of_unknown_ids_changes_nothing(seven: Client) -> None:
    id_ = seven.post("/corrections", json=body()).json["id"]
    for ids, status in (
        ([id_, "f" * 64], 404),
        ([id_[:3]], 400),
        (["%%%%%%%"], 400),
        ([], 400),
        ("all", 400),
        ([5], 400),
    ):
        assert seven.post("/corrections:accept", json={"ids": ids}, headers=BEARER).status_code == status
    assert listed(seven)["counts"]["waiting"] == 1


def test_the_list_comes_in_pages(seven: Client) -> None:
    ids = [seven.post("/corrections", json=body(n)).json["id"] for n in range(5)]
    first = listed(seven, limit=3)
    rest = listed(seven, limit=3, after=first["next"])
    assert [c["id"] for c in first["corrections"] + rest["corrections"]] == ids
    assert rest["next"] is None
    assert seven.get("/corrections?state=odd", headers=BEARER).status_code == 400
    assert seven.get("/corrections?after=-1", headers=BEARER).status_code == 400


def test_an_export_holds_the_accepted_drawings_as_a_model_sees_them(seven: Client) -> None:
    assert seven.get("/corrections/export.zip", headers=BEARER).status_code == 409
    ids = [seven.post("/corrections", json=body(n, digit=n)).json["id"] for n in range(4)]
    seven.post("/corrections:accept", json={"ids": ids[:3]}, headers=BEARER)
    answer = seven.get("/corrections/export.zip", headers=BEARER)
    assert answer.data == seven.get("/corrections/export.zip", headers=BEARER).data
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        arrays = np.load(io.BytesIO(archive.read("corrections.npz")))
    assert {c["id"] for c in manifest["corrections"]} == set(ids[:3])
    assert sorted(arrays["y"].tolist()) == [0, 1, 2]
    assert arrays["predicted"].tolist() == [7, 7, 7]
    assert (arrays["x"].shape, arrays["x"].dtype) == ((3, 28, 28), np.uint8)
    where = arrays["y"].tolist().index(2)
    np.testing.assert_array_equal(arrays["x"][where], fit(decode(drawing(2))))


def test_what_a_picture_carries_besides_is_not_kept(seven: Client) -> None:
    def send(picture: bytes) -> Answer:
        return seven.post("/corrections", json=body() | {"image": making.data_url(picture).decode()})

    script = b"<script>alert(1)</script>"
    assert send(drawing() + script + b"PK\x03\x04").status_code == 201  # as phones' own bytes behind the end
    end = drawing().index(b"IEND") - 4
    hidden = drawing()[:end] + making.png_part(b"tEXt", b"Comment\0" + script) + drawing()[end:]
    assert send(hidden).status_code == 200  # the same drawing
    (kept,) = seven.application.extensions["corrections"].page()
    assert b"script" not in kept.picture
    assert len(kept.seen) == 784


def test_a_front_end_is_believed_only_where_it_is_ours_or_the_settings_name_it(here: Settings) -> None:
    def answers(address: str, proof: str = "", **more: str) -> list[int]:
        home = here.home / f"{address} {proof}".replace(":", "-")
        settings = from_environment({"WORKBENCH_HOME": str(home), **more})
        client = Client(create_app(settings))
        return [
            client.post(
                "/corrections",
                json=body(number),
                headers={"X-Forwarded-For": f"203.0.113.{number}", "X-Workbench-Front": proof},
                environ_base={"REMOTE_ADDR": address},
            ).status_code
            for number in range(module.PER_VISITOR + 1)
        ]

    assert 429 in answers("192.168.0.5")
    for address in ("127.0.0.1", "::1"):  # any program of this computer
        assert 429 in answers(address)
        assert 429 in answers(address, "0" * 64)
    assert 429 not in answers("127.0.0.1", here.front_end_proof)
    assert 429 not in answers("192.168.0.6", WORKBENCH_TRUSTED_PROXIES="192.168.0.0/24,127.0.0.1/32")
