"""Who reads what a job's machines may have written: the untrusted folders' functions, and nothing beside them."""

import ast
from collections.abc import Iterator
from pathlib import Path

from workbench.settings import PROJECT

ROOMS = (
    "events",
    "machines/aws",
    "machines/local",
    "node/measuring.py",
    "runner",
    "tasks",
    "verbs/logs.py",
)
"""Modules of ``workbench`` that handle the folders of jobs, here and on machines of AWS."""
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
    (
        "machines/aws/controller/provider.py",
        "AwsProvider",
    ): "files of ours, and no files: what a provider is asked",
    ("machines/aws/controller/baking.py", "environment"): "our own code and its lock",
    (
        "machines/aws/controller/homes.py",
        "taken_request",
    ): "a folder of ours alone, just made, and the data sets",
    ("machines/aws/controller/user_data.py", "user_data"): "our own code",
    ("machines/aws/exchange/reports.py", "collect"): "the folder itself: its parent is ours",
    ("machines/aws/exchange/reports.py", "collect_export"): "the folder itself: its parent is ours",
    (
        "machines/aws/exchange/requests.py",
        "give",
    ): "what the runner has just written, before any machine has it",
    ("machines/aws/exchange/requests.py", "give_data"): "the data sets",
    ("machines/aws/exchange/requests.py", "_kept"): "the manifests of data sets, which are the home's own",
    (
        "machines/aws/exchange/requests.py",
        "_files_of",
    ): "the recipe as the runner has it; looked at without following a link",
    ("machines/aws/exchange/requests.py", "_named"): "the corrections and versions that go along",
    (
        "machines/aws/exchange/requests.py",
        "_text",
    ): "what the runner has just written, before any machine has it",
    ("machines/aws/on_machine/agent.py", "main"): "the agent's own folder, which only root may write",
    ("machines/aws/on_machine/disk.py", "Disk"): "beside the job's folder; that itself: its parent is ours",
    ("machines/aws/on_machine/role.py", "begin"): "/proc",
    ("machines/aws/on_machine/role.py", "_is_ec2"): "/sys",
    ("node/measuring.py", "measure"): "with the machine's rights: whether the export is a folder",
    ("node/measuring.py", "load_back"): "with the machine's rights, after all was found to be plain files",
    ("node/measuring.py", "_save"): "with the machine's rights, after all was found to be plain files",
    ("machines/local/folders.py", "open_home"): "the home and its data sets, which no machine can write",
    ("machines/local/folders.py", "_let"): "the home and its data sets, which no machine can write",
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
