"""AWS's answers as they came, kept for tests to parse: names, numbers and secrets of whose account it was are taken out."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

RECORDER = Path(__file__).parent / "recorder"
ACCOUNT = "123456789012"
EACH = 3
"""Answers that are kept of one operation with one form."""
MOST = 25
"""Entries of a list that are kept."""
SECRET = {
    "Value",
    "AccessKeyId",
    "SecretAccessKey",
    "SessionToken",
    "UserId",
    "KeyId",
    "TokenValue",
    "UserData",
}
"""Fields whose text is never kept."""
_ENCODED = re.compile(r"(Encoded authorization failure message: )\S+")
_ID = re.compile(r"\b([a-z]{1,9}(?:-[a-z]{3,8})?)-([0-9a-f]{17}|[0-9a-f]{8})\b")
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_ADDRESS = re.compile(r"\b(?!192\.168\.|127\.|0\.0\.0\.0|169\.254\.)\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b")
_HOST = re.compile(r"\bec2-\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}\b")
_WHO = re.compile(r"(arn:aws[a-z-]*:(?:iam|sts)::\d{12}:(?:user|role|assumed-role))/[^\s\"']+")
_OURS = re.compile(r"/workbench[^\s\"']*$")


def environ(folder: Path) -> dict[str, str]:
    """The variables with which programs write AWS's answers into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return {"PYTHONPATH": str(RECORDER), "REHEARSAL_REPLIES": str(folder)}


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """All that was written down, in the order of time."""
    for path in sorted(folder.glob("*.jsonl"), key=lambda path: path.name.rpartition("-")[2]):
        for line in path.read_text().splitlines():
            yield json.loads(line)


def tidy(
    recorded: Iterable[Mapping[str, Any]], *, account: str, names: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """The answers without whose they are: the same name stands for the same thing in all of them.

    Parameters
    ----------
    account
        The account's number.
    names
        Other words to take out, such as the requester's name.
    """
    known: dict[str, str] = {}
    kept: list[dict[str, Any]] = []
    forms: dict[str, int] = {}
    words = [re.escape(word) for word in names if len(word) > 2]
    persons = re.compile(rf"\b({'|'.join(words)})\b") if words else None

    def instead(kind: str, found: str, make: str) -> str:
        if found not in known:
            count = sum(1 for key in known if key.startswith(f"{kind} "))
            known[f"{kind} {count}"] = known[found] = make.format(count + 1)
        return known[found]

    def clean(text: str) -> str:
        text = _ENCODED.sub(r"\1…", text)
        text = _WHO.sub(lambda m: m[0] if _OURS.search(m[0]) else f"{m[1]}/somebody", text)
        text = _UUID.sub(lambda m: instead("uuid", m[0], "00000000-0000-4000-8000-{:012d}"), text)
        text = _ID.sub(lambda m: instead(m[1], m[0], f"{m[1]}-{{:017d}}"), text)
        text = _HOST.sub("ec2-203-0-113-1", text)
        text = _ADDRESS.sub(lambda m: instead("address", m[0], "203.0.113.{}"), text)
        text = text.replace(account, ACCOUNT)
        return persons.sub("somebody", text) if persons else text

    def walk(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            tag = isinstance(value.get("Key"), str) and set(value) == {"Key", "Value"}
            return {
                clean(k): v if tag and k == "Key" else walk(v, "" if tag else k) for k, v in value.items()
            }
        if isinstance(value, list):
            return [walk(one, key) for one in value[:MOST]]
        if isinstance(value, str):
            return "taken out" if key in SECRET else clean(value)
        return value

    for one in recorded:
        answer = walk(one["answer"])
        form = f"{one['service']} {one['operation']} {one['status']} {_form(answer)}"
        forms[form] = forms.get(form, 0) + 1
        if forms[form] <= EACH:
            kept.append({**one, "answer": answer})
    return kept


def _form(value: Any) -> str:
    """The form of an answer: its fields, not what they hold; of lists the first alone."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_form(one)}" for key, one in sorted(value.items())) + "}"
    if isinstance(value, list):
        return f"[{_form(value[0]) if value else ''}]"
    return ""


def write(path: Path, kept: Iterable[Mapping[str, Any]]) -> None:
    """Keep them in a file, an answer a line."""
    path.write_text("".join(json.dumps(one, sort_keys=True) + "\n" for one in kept))
