"""What goes through the bucket arrives as it was, in pieces, after crashes, and whatever a recipe's code has left."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.machines.aws.ground import make_stub_provider
from tests.machines.aws.memory_bucket import MemoryBucket
from tests.system import killed
from workbench import film, packages
from workbench.errors import BadInput
from workbench.machines import Machine
from workbench.machines.aws.exchange import reports, requests, stills
from workbench.machines.aws.exchange.streams import LOG_BYTES, PART_BYTES, Stream
from workbench.machines.aws.exchange.trees import Tree

PREFIX = "clusters/_jobs/h/7/"


@pytest.fixture
def bucket() -> Any:
    return MemoryBucket()


def stream(bucket: Any, folder: Path, name: str = "events.jsonl") -> Stream:
    folder.mkdir(parents=True, exist_ok=True)
    made = Stream(bucket, f"{PREFIX}reports/worker-0/{name}/", folder, name, name == "events.jsonl")
    made.find_end()
    return made


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def collected(bucket: Any, folder: Path, name: str = "events.jsonl") -> str:
    folder.mkdir(exist_ok=True)
    reports.collect(bucket, PREFIX, folder)
    path = folder / "machines" / "worker-0" / name
    return path.read_text() if path.exists() else ""


def test_a_growing_file_comes_line_by_line_and_nothing_twice(bucket: Any, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    grows = stream(bucket, there)
    path = there / "events.jsonl"
    append(path, "one\ntw")
    assert grows.pump()
    assert not grows.pump()
    assert collected(bucket, here) == "one\n"
    append(path, "o\nthree\n")
    assert grows.pump()
    assert collected(bucket, here) == collected(bucket, here) == "one\ntwo\nthree\n"


def test_a_long_file_has_few_parts_of_which_only_the_last_changes(bucket: Any, tmp_path: Path) -> None:
    grows = stream(bucket, tmp_path / "there")
    line = "x" * 999 + "\n"
    for _ in range(1000):
        append(grows.folder / grows.name, line)
        grows.pump()

    assert 1_000_000 / PART_BYTES <= len(bucket.objects) <= 1_000_000 / PART_BYTES + 2
    assert collected(bucket, tmp_path / "here") == line * 1000


def test_another_machine_in_the_place_goes_on_where_the_first_ended(bucket: Any, tmp_path: Path) -> None:
    first = stream(bucket, tmp_path / "first")
    append(first.folder / first.name, "one\n")
    first.pump()
    assert collected(bucket, tmp_path / "here") == "one\n"
    second = stream(bucket, tmp_path / "second")
    append(second.folder / second.name, "two\n")
    second.pump()

    assert collected(bucket, tmp_path / "here") == "one\ntwo\n"


def test_the_film_comes_while_it_trains_and_anew_where_frames_are_of_steps_done_anew(
    bucket: Any, tmp_path: Path
) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    here.mkdir()
    prefix = f"{PREFIX}checkpoints-1/"
    tree = Tree(bucket, prefix, there, "checkpoints")
    recorder = film.Recorder(there / stills.FILM)
    first, second, third, other = (film.Frame(step, bytes([k] * 4)) for k, step in enumerate((0, 1, 5, 5)))
    seen = film.Growing(here, *stills.FILM.split("/"))

    def bring(*frames: film.Frame) -> tuple[film.Frame, ...]:
        recorder.follow(film.Film({"format": 1}, frames))
        assert tree.sync()
        stills.collect(bucket, prefix, here)
        seen.refresh()
        return seen.frames

    stills.collect(bucket, prefix, here)
    assert not list(here.iterdir())
    assert bring(first) == (first,)
    assert bring(first, second, third) == (first, second, third)
    bucket.refuses.add(("get", "film/"))
    stills.collect(bucket, prefix, here)
    assert bucket.refuses, "what is here is not fetched again"
    bucket.refuses.clear()
    recorder = film.Recorder(there / stills.FILM)
    assert bring(first, second, other) == (first, second, other)
    assert bring(first, second) == (first, second)
    (here / stills.FILM / "frame-1").unlink()
    assert bring(first, second) == (first, second), "as after the checkpoints were removed here"
    for strange in ("../evil", "frame-x", ".frame-2", "other.json"):
        bucket.objects[f"{prefix}film/{strange}"] = b"no"
    stills.collect(bucket, prefix, here)
    assert {path.name for path in (here / stills.FILM).iterdir()} == {"form.json", "frame-0", "frame-1"}


def test_what_was_added_by_a_collection_that_was_killed_is_not_added_again(
    bucket: Any, tmp_path: Path
) -> None:
    grows, here = stream(bucket, tmp_path / "there"), tmp_path / "here"
    append(grows.folder / grows.name, "one\n")
    grows.pump()
    assert collected(bucket, here) == "one\n"
    append(grows.folder / grows.name, "two\n")
    grows.pump()
    append(here / "machines" / "worker-0" / "events.jsonl", "two\n")  # and then it was killed

    assert collected(bucket, here) == "one\ntwo\n"


def test_of_a_log_that_is_printed_without_end_the_end_is_kept(bucket: Any, tmp_path: Path) -> None:
    prints = stream(bucket, tmp_path / "there", "stdout.log")
    append(prints.folder / prints.name, "y" * (3 * LOG_BYTES) + "the end")
    while prints.pump():
        prints.trim()

    assert (prints.folder / prints.name).stat().st_size == 0, "the disk of the machine is not filled either"
    assert collected(bucket, tmp_path / "here", "stdout.log").endswith("the end")
    kept = sum(p.stat().st_size for p in (tmp_path / "here").rglob("stdout.log*"))
    assert kept <= 2 * LOG_BYTES


def test_the_bucket_never_holds_a_checkpoint_file_that_names_what_is_not_there(
    bucket: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoints"
    (folder / "last").mkdir(parents=True)
    tree = Tree(bucket, "c/", tmp_path, "checkpoints")
    for step in range(1, 5):
        (folder / "last" / f"ckpt-{step}.index").write_text(str(step))
        (folder / "last" / "checkpoint").write_text(f"ckpt-{step}")
        if step > 2:
            (folder / "last" / f"ckpt-{step - 2}.index").unlink()
        (folder / "last" / "ckpt-9_temp").write_text("half")
        assert tree.sync()
        named = bucket.objects["c/last/checkpoint"].decode()
        assert f"c/last/{named}.index" in bucket.objects
    assert sorted(bucket.objects) == ["c/last/checkpoint", "c/last/ckpt-3.index", "c/last/ckpt-4.index"]

    back = tmp_path / "back"
    assert Tree(bucket, "c/", tmp_path, "back").restore() == 3
    assert (back / "last" / "ckpt-4.index").read_text() == "4"


def test_links_and_pipes_of_a_recipes_code_are_never_followed(bucket: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    folder = tmp_path / "job"
    (folder / "export").mkdir(parents=True)
    (folder / "export" / "stolen").symlink_to(secret)
    (folder / "export" / "more").symlink_to(tmp_path)
    os.mkfifo(folder / "export" / "pipe")
    (folder / "fields.json").write_text("{}")
    (folder / "events.jsonl").symlink_to(secret)

    assert not stream(bucket, folder).pump()
    assert reports.leave_export(bucket, "e/", folder)
    assert list(bucket.objects) == ["e/fields.json"]


def test_a_key_that_leads_out_of_the_folder_is_left_where_it_is(bucket: Any, tmp_path: Path) -> None:
    bucket.put("e/export/../../evil", b"x")
    bucket.put("e/export/good/model.keras", b"weights")
    bucket.put("e/fields.json", b"{}")
    folder = tmp_path / "job"
    folder.mkdir()

    assert reports.collect_export(bucket, "e/", folder)

    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["fields.json", "model.keras"]


def test_a_request_arrives_byte_for_byte(bucket: Any, tmp_path: Path) -> None:
    folder, there = tmp_path / "job", tmp_path / "there"
    (folder / "recipe").mkdir(parents=True)
    source = "x = 'ä\\'\"'\r\n\tdef".encode()
    (folder / "recipe" / "training.py").write_bytes(source)
    (folder / "recipe" / "nets" / "deep").mkdir(parents=True)
    (folder / "recipe" / "nets" / "deep" / "rows.csv").write_bytes(b"1\r\n\xff")
    (folder / "recipe" / "nets" / "secret").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("key")
    lock = "tiny==1 \\\n    --hash=sha256:0\n"
    name = packages.keep_lock(lock, tmp_path / "packages")
    (folder / "job.json").write_text(json.dumps({"job": 7, "packages": name}))

    given = {"worker": ["10.0.0.1:2222"]}
    requests.give(bucket, PREFIX, folder, given, tmp_path / "data", tmp_path / "packages")
    requests.take(bucket, PREFIX, there)

    assert (there / "recipe" / "training.py").read_bytes() == source
    assert (there / "recipe" / "nets" / "deep" / "rows.csv").read_bytes() == b"1\r\n\xff"
    assert not (there / "recipe" / "nets" / "secret").exists()
    assert (there / requests.PACKAGES).read_text() == lock
    assert json.loads((there / "job.json").read_text()) == {
        "job": 7,
        "packages": name,
        "cluster": {"worker": ["10.0.0.1:2222"]},
    }


def test_corrections_travel_only_with_a_recipe_that_names_them_and_not_without_end(
    bucket: Any, tmp_path: Path
) -> None:
    folder, data, there = tmp_path / "job", tmp_path / "data", tmp_path / "there"
    (folder / "recipe").mkdir(parents=True)
    (folder / "job.json").write_text("{}")
    (folder / "recipe" / "preprocessing.py").write_text("datasets.load('mnist')")
    for path in ("corrections/1/manifest.json", "corrections/.new-2/manifest.json", "corrections/.lock"):
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        (data / path).write_text("{}")

    requests.give(bucket, PREFIX, folder, {}, data)
    requests.take(bucket, PREFIX, there)
    assert not (there / "corrections").exists()

    (folder / "recipe" / "preprocessing.py").write_text("datasets.corrections()")
    requests.give(bucket, PREFIX, folder, {}, data)
    requests.take(bucket, PREFIX, there)
    found = [p.relative_to(there).as_posix() for p in there.rglob("*") if p.is_file()]
    assert sorted(found) == ["corrections/1/manifest.json", "job.json", "recipe/preprocessing.py"]

    with (data / "corrections" / "1" / "corrections.npz").open("wb") as file:
        file.truncate(requests.MAX_JOB_BYTES)
    with pytest.raises(BadInput, match="remove old versions from "):
        requests.give(bucket, PREFIX, folder, {}, data)


def test_a_data_set_that_a_recipe_names_is_brought_once(bucket: Any, tmp_path: Path) -> None:
    data, recipe = tmp_path / "data", tmp_path / "recipe"
    for folder in (data, recipe):
        folder.mkdir()
    (data / "mnist.npz").write_bytes(b"digits")
    (data / "other.npz").write_bytes(b"other")
    (recipe / "preprocessing.py").write_text("datasets.load('mnist')")

    for _ in range(2):
        assert requests.give_data(bucket, data, recipe) == ("mnist.npz",)
    assert list(bucket.objects) == ["clusters/_data/mnist.npz"]


def a_link(path: Path, to: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(to)


def a_hard_link(path: Path, to: Path) -> None:
    path.unlink(missing_ok=True)
    path.hardlink_to(to)


@pytest.mark.parametrize("deed", [a_link, a_hard_link])
def test_what_is_written_where_a_recipes_code_was_is_written_through_no_link(
    bucket: Any, tmp_path: Path, deed: Any
) -> None:
    secret, here = tmp_path / "secret", tmp_path / "here"
    secret.write_text("as it was")
    first = stream(bucket, tmp_path / "first")
    append(first.folder / first.name, "one\n")
    first.pump()
    assert collected(bucket, here) == "one\n"
    own = here / "machines" / "worker-0"
    deed(own / "events.jsonl", secret)
    deed(here / ".collected.json", secret)
    bucket.put("e/export/model.keras", b"weights")
    bucket.put("e/held_out.npz", b"part")
    bucket.put("e/fields.json", b"{}")
    for name in ("export", "held_out.npz", "fields.json"):
        deed(here / name, secret)

    assert "one\n" in collected(bucket, here)
    assert reports.collect_export(bucket, "e/", here)

    assert secret.read_text() == "as it was"
    assert (here / "export" / "model.keras").read_text() == "weights"
    assert (here / "held_out.npz").read_bytes() == b"part"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_log_is_emptied_where_it_is_and_not_where_a_link_leads(bucket: Any, tmp_path: Path) -> None:
    prints = stream(bucket, tmp_path / "there", "stdout.log")
    append(prints.folder / prints.name, "y" * (LOG_BYTES + 1))
    while prints.pump():
        pass
    secret = tmp_path / "secret"
    secret.write_text("z" * prints.read)
    a_link(prints.folder / prints.name, secret)

    prints.trim()

    assert secret.stat().st_size > LOG_BYTES


def test_a_tree_without_end_and_keys_that_are_none_stop_nobody(bucket: Any, tmp_path: Path) -> None:
    folder = tmp_path / "job" / "export"
    folder.mkdir(parents=True)
    inner = os.open(folder, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d", dir_fd=inner)
        inner, above = os.open("d", os.O_RDONLY, dir_fd=inner), inner
        os.close(above)
    os.close(inner)
    (tmp_path / "job" / "fields.json").write_text("{}")
    assert reports.leave_export(bucket, "e/", tmp_path / "job")
    for key in (
        "worker-x/events.jsonl/0",
        "worker-" + "9" * 900 + "/events.jsonl/0",
        "worker-0/events.jsonl/" + "9" * 900,
    ):
        bucket.put(f"{PREFIX}reports/{key}", b"line\n")
    assert collected(bucket, tmp_path / "here") == "line\n"


def test_who_has_just_seen_a_machine_end_hears_all_that_it_said_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("workbench.machines.aws.controller.provider.time.monotonic", lambda: clock.now)
    provider = make_stub_provider(tmp_path, look_every_s=2.0)

    def look(name: str) -> list[Machine]:
        done.append("look")
        return []

    provider.__dict__["_sight"] = SimpleNamespace(look=look)
    provider.__dict__["_files"] = SimpleNamespace(collect=lambda folder, whole: done.append("collect"))

    def turn(looked: float, collected: float) -> list[str]:
        done.clear()
        clock.now = looked
        provider.machines("one")
        clock.now = collected
        provider.collect("one", tmp_path)
        return list(done)

    assert turn(0.0, 1.0) == ["look", "collect"]
    assert turn(1.5, 1.6) == [], "neither is asked again and again"
    assert turn(2.0, 2.1) == ["look", "collect"], "though it was collected a second ago"


def test_an_export_comes_whole_and_leaves_nothing_when_its_download_is_killed(
    bucket: Any, tmp_path: Path
) -> None:
    parts = {"export/model.keras": b"model", "export/saved_model/variables/data": b"v" * 5000}
    for name, content in {**parts, reports.HELD_OUT: b"held out", reports.FIELDS: b"{}"}.items():
        bucket.put(f"{PREFIX}{name}", content)

    def collect(jobs: Path) -> bool:
        return reports.collect_export(bucket, PREFIX, jobs / "7")

    for moment in killed.moments(collect, tmp_path / "counted", 8, seed=19):
        jobs = tmp_path / str(moment)
        killed.killed_at(moment, collect, jobs)
        assert not (jobs / "7" / reports.FIELDS).exists() or (jobs / "7" / reports.HELD_OUT).exists()
        assert collect(jobs)
        assert {name: (jobs / "7" / name).read_bytes() for name in parts} == parts
        assert [path.name for path in jobs.iterdir()] == ["7"], f"left at moment {moment}"
