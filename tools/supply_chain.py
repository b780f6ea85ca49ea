"""Tell what the project is made of: ``make supply`` prints each licence with its packages and known vulnerabilities, and writes an SBOM.

The packages are those of the lock file that users get, so without the developers' tools. Exit 1 if one has a known
vulnerability or no licence that can be told.
"""

import importlib.metadata
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from email.message import Message
from importlib.metadata import Distribution
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parent.parent
SBOM = ROOT / "build" / "sbom.cdx.json"
EXTRAS = ("backend", "serving", "train", "dashboard", "aws")
CLASSIFIER = "License :: "
TOO_LONG = 60
"""Characters; some packages put the whole text of their licence into the field for its name."""
KNOWN = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License Version 2.0": "Apache-2.0",
    "Apache": "Apache-2.0",
    "BSD License": "BSD",
    "BSD": "BSD",
    "ISC License (ISCL)": "ISC",
    "ISC License": "ISC",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}

PHRASES = {"Apache License, Version 2.0": "Apache-2.0", "Permission is hereby granted, free of charge": "MIT"}
"""By which a licence's own text is known, where a package says nothing else."""


def licence(package: Distribution) -> str:
    """Name a package's licence, from what it says of itself; empty if it says nothing."""
    told = cast(Message, package.metadata)
    expression = (told.get("License-Expression") or "").strip()
    classified = [c.rpartition(" :: ")[2] for c in told.get_all("Classifier", []) if c.startswith(CLASSIFIER)]
    written = (told.get("License") or "").strip()
    for name in (expression, " and ".join(c for c in classified if c != "OSI Approved"), written):
        if name and len(name) <= TOO_LONG and "\n" not in name:
            return KNOWN.get(name, name)
    if written:
        return written.splitlines()[0].strip()[:TOO_LONG]
    texts = (file.read_text() for file in package.files or () if file.name.upper().startswith("LICENSE"))
    return next((name for text in texts for phrase, name in PHRASES.items() if phrase in text), "")


def locked() -> dict[str, str]:
    """Name → version of what users install on this system."""
    listed = _uv("export", "--format", "requirements.txt", "--no-hashes", "--no-annotate", "--no-header")
    rows = (line.partition(";")[0].strip().partition("==") for line in listed.splitlines())
    return {name: version for name, equals, version in rows if equals}


def by_licence(names: Iterable[str]) -> dict[str, list[str]]:
    """Licence → packages; those that are for another system are left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        try:
            found[licence(importlib.metadata.distribution(name))].append(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


def vulnerable(packages: dict[str, str]) -> tuple[list[str], int]:
    """Lines about known vulnerabilities, and how many packages could be looked up."""
    wanted = SBOM.with_name("requirements.txt")
    wanted.write_text("".join(f"{name}=={version}\n" for name, version in packages.items()))
    options = ("--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json", "--timeout=15")
    done = subprocess.run(
        (_uv_program(), "tool", "run", "pip-audit", "-r", str(wanted), *options),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    try:
        told = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(f"pip-audit could not run: {done.stderr.strip()[-200:]}", file=sys.stderr)
        return [], 0
    looked_up = [one for one in told if "skip_reason" not in one]
    lines = [
        f"{one['name']} {one['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in looked_up
        for flaw in one["vulns"]
    ]
    return lines, len(looked_up)


def main() -> int:
    SBOM.parent.mkdir(exist_ok=True)
    _uv("export", "--format", "cyclonedx1.5", "--output-file", str(SBOM))
    packages = locked()
    licences = by_licence(packages)
    for name, found in licences.items():
        print(f"{name or 'NO LICENCE'} ({len(found)}): {', '.join(sorted(found))}")
    lines, looked_up = vulnerable(packages)
    print(f"\n{len(packages)} packages; SBOM: {SBOM.relative_to(ROOT)}")
    print(f"{looked_up} of them looked up among known vulnerabilities, {len(lines)} found")
    if not looked_up:
        print("not checked: the list of vulnerabilities cannot be reached from here", file=sys.stderr)
    print("\n".join(lines))
    return 1 if lines or "" in licences else 0


def _uv(*arguments: str) -> str:
    extras = [part for name in EXTRAS for part in ("--extra", name)]
    command = (_uv_program(), *arguments, "--frozen", "--no-emit-project", "--quiet", *extras)
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _uv_program() -> str:
    return subprocess.run(
        (ROOT / "tools" / "prepare", "uv"), check=True, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
