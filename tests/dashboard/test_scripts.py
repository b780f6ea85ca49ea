"""The scripts of a page as one file."""

import gzip
from pathlib import Path

from workbench.dashboard.scripts import LIST, Scripts, page_scripts


def make(folder: Path, **files: str) -> Scripts:
    for name, text in files.items():
        (folder / f"{name}.js").write_text(text)
    return Scripts({"static": [str(folder)]}, ["static/a.js", "static/gone.js", "static/b.js"])


def test_scripts_stand_one_after_the_other_and_missing_ones_are_left_to_the_loader(tmp_path: Path) -> None:
    assert make(tmp_path, a="push(1)", b="push(2)").content == b"push(1);\npush(2)"


def test_maps_of_their_sources_are_left_out(tmp_path: Path) -> None:
    made = make(tmp_path, a="push(1)\n//# sourceMappingURL=data:application/json;base64,AAAA", b="push(2)")
    assert b"sourceMappingURL" not in made.content
    assert made.content.endswith(b"push(2)")


def test_they_are_compressed_to_the_same(tmp_path: Path) -> None:
    made = make(tmp_path, a="push(1)" * 1000, b="push(2)")
    assert gzip.decompress(made.compressed) == made.content
    assert len(made.compressed) < len(made.content) / 10


def test_other_scripts_have_another_address(tmp_path: Path) -> None:
    first = make(tmp_path, a="push(1)", b="push(2)").path
    assert make(tmp_path, a="push(1)", b="push(2)").path == first
    assert make(tmp_path, a="push(1)", b="push(3)").path != first


def test_every_script_of_the_list_is_there_in_the_locked_versions() -> None:
    scripts = page_scripts("workbench")
    missing = [name for name in LIST.read_text().split() if scripts._read(name) is None]
    assert missing == []
