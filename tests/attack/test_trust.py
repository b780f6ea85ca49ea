"""Who reads what a job's machines may have written: the untrusted folders' functions, and nothing beside them."""

import ast
from collections.abc import Iterator
from pathlib import Path

from workbench.settings import PROJECT

ROOMS = (
    "events",
    "machines/local",
    "runner",
    "tasks",
    "verbs/logs.py",
)
"""Modules of ``workbench`` that handle the folders of jobs; machines on AWS have none of them in their hands here."""
TOUCHES = {
    *("open", "read_text", "read_bytes", "write_text", "write_bytes", "touch", "unlink", "rename", "replace"),
    *(
        "glob",
        "rglob",
        "iterdir",
        "walk",
        "listdir",
        "scandir",
        "exists",
        "is_file",
        "is_dir",
        "stat",
        "lstat",
    ),
    *("copy", "copy2", "copyfile", "copytree", "rmtree", "mkdir", "chown", "chmod", "load"),
}
"""Names of functions and methods that touch files."""
SAFE = {"untrusted_folders", "untrusted_changes", "files", "dataclasses", "detached", "sandbox", "linux"}
"""What may be called by such a name: our own ground, and what is no file."""
REASONS = {
    ("events/writer.py", "Writer"): "the machine's own side, with the machine's rights",
    ("machines/local/folders.py", "open_home"): "the home and its data sets, which no machine can write",
    ("machines/local/folders.py", "give"): "the folder itself: its parent is ours",
    ("machines/local/folders.py", "take_back"): "the folder itself: its parent is ours",
    ("machines/local/fork_client.py", "*"): "clusters/.warm and logs, which no machine can enter",
    ("machines/local/fork_server.py", "*"): "our own code, and the data sets",
    ("machines/local/head.py", "*"): "/proc, with the machine's rights",
    ("machines/local/machine.py", "*"): "the machine itself, with its rights",
    (
        "machines/local/output.py",
        "Output",
    ): "with the machine's rights; a plain file or nothing, never waiting",
    ("machines/local/provider.py", "LocalProvider"): "clusters/NAME, which no machine can enter",
    ("machines/local/records.py", "*"): "clusters/NAME, which no machine can enter",
    ("machines/local/sandbox.py", "*"): "what is mounted, before any recipe's code runs",
    ("runner/__main__.py", "main"): "logs, which no machine can enter",
    ("runner/folders.py", "prepare"): "the folder itself: its parent is ours",
    ("runner/folders.py", "read_note"): "our note, beside the folder",
    ("runner/run.py", "_Work"): "logs/job-ID.checked, which no machine can enter",
    ("tasks/check.py", "_folder"): "the folder itself: its parent is ours",
    ("tasks/check.py", "fetch_data"): "the data sets",
    ("tasks/preview.py", "Preview"): "the folder while it is made, before any machine runs",
}
"""Where a file is touched in another way: module and function or class (``*`` for all), and why that is right."""


def touches(path: Path) -> Iterator[tuple[str, str, int]]:
    """The outermost function or class, the call and the line of everything in a module that touches files."""
    for outermost in ast.parse(path.read_text()).body:
        name = getattr(outermost, "name", "")
        for node in ast.walk(outermost):
            if not isinstance(node, ast.Call):
                continue
            call = node.func
            if isinstance(call, ast.Name) and call.id in TOUCHES and call.id != "replace":
                yield name, call.id, node.lineno
            elif isinstance(call, ast.Attribute) and call.attr in TOUCHES:
                base = call.value
                if isinstance(base, ast.Name) and base.id in SAFE:
                    continue
                if call.attr == "replace" and len(node.args) == 2:  # of a text
                    continue
                yield name, call.attr, node.lineno


def modules() -> Iterator[tuple[str, Path]]:
    for room in ROOMS:
        top = PROJECT / "workbench" / room
        for path in [top] if top.is_file() else sorted(top.rglob("*.py")):
            yield path.relative_to(PROJECT / "workbench").as_posix(), path


def test_what_machines_may_have_written_is_read_in_one_way_only() -> None:
    wrong = [
        f"workbench/{module}:{line}: {call}() in {name or 'the module'}; use workbench.system.untrusted_folders, "
        "untrusted_changes, or give the reason here"
        for module, path in modules()
        for name, call, line in touches(path)
        if not {(module, name), (module, "*")} & REASONS.keys()
    ]
    assert not wrong, "\n".join(wrong)


def test_no_reason_is_left_over() -> None:
    used = {
        key
        for module, path in modules()
        for name, _, _ in touches(path)
        for key in ((module, name), (module, "*"))
    }
    assert not REASONS.keys() - used
