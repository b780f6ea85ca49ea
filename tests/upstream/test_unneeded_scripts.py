"""What pages do without: which extensions that goes with, and that Voilà's loader takes what is offered instead."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from workbench.dashboard.scripts import LIST, Scripts, page_scripts
from workbench.upstream import unneeded_scripts
from workbench.upstream.voila import script_folders


def extension(folder: Path, name: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "package.json").write_text(json.dumps({"name": name}))


def test_the_extensions_of_the_locked_versions_are_known() -> None:
    assert unneeded_scripts.known(script_folders("workbench")["labextensions"])


@pytest.mark.parametrize("name", ["bqplot", "@bokeh/jupyter_bokeh"])
def test_an_extension_of_somebody_else_gets_all_that_voila_has(tmp_path: Path, name: str) -> None:
    extension(tmp_path, "anywidget")
    extension(tmp_path, "@jupyter-widgets/jupyterlab-manager")
    names: dict[str, Sequence[str]] = {
        "static": [str(tmp_path)],
        "labextensions": [str(tmp_path), str(tmp_path / "none")],
    }
    assert b"workbench" in Scripts(names, []).content
    extension(tmp_path, name)
    assert not unneeded_scripts.known([str(tmp_path)])
    assert Scripts(names, []).content == b""


def test_what_is_offered_instead_is_shared_by_voila_in_the_major_version_that_it_asks_for() -> None:
    (folder,) = [
        root for root in script_folders("workbench")["static"] if (Path(root) / "voila.js").exists()
    ][:1]
    loader = (Path(folder) / "voila.js").read_text()
    offered = unneeded_scripts.INSTEAD.read_text()
    names = [
        f"@jupyterlab/{name}"
        for name in re.findall(r'"(\w+)"', offered.split("for (const name of [")[1].split("]")[0])
    ]
    names += re.findall(r'offer\("(@[^"]+)"', offered)
    assert len(names) == 9
    for name in names:
        major = 2 if name.startswith("@lumino") else 4
        assert re.search(rf'c\("default","{name}",!1,\[1,{major},', loader), name
    assert ".forEach(t.bind(null,0))" in loader, "what stands before the loader is run when it is set up"


def test_no_page_is_sent_the_editor_the_notebook_or_mathjax() -> None:
    sent = page_scripts("workbench").content
    for absent in (b"@jupyterlab/lsp", b"EditorLanguageRegistry=class", b"mjx-container", b"@lezer/lr"):
        assert absent not in sent, absent
    assert len(sent) < 2_600_000
    assert "static/4173.voila.js" not in LIST.read_text().split()
