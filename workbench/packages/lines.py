"""The lines that name packages: of a ``requirements.txt``, or of a notebook's cell with ``%pip install``."""

import re
import shlex
from dataclasses import dataclass

from workbench.errors import RecipeError

FIELD = "requirements"
MOST = 100
"""Packages that one recipe may name."""
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"(?:===?|~=|!=|<=?|>=?)\s*[A-Za-z0-9.*+!_-]+"
_LINE = re.compile(
    rf"({_NAME})\s*+(\[\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\])?\s*+(\(?\s*{_VERSION}(?:\s*,\s*{_VERSION})*\s*+\)?)?\s*+(;[^;]+)?"
)
_PIP = re.compile(r"[%!]?\s*(?:python3?\s+-m\s+)?(?:uv\s+)?pip3?\s+install\s+(.*)", re.DOTALL)
_QUIET = {"-q", "-qq", "-qqq", "--quiet", "-U", "--upgrade", "--user", "--no-cache-dir", "--progress-bar=off"}
"""Options of pip that make no difference to what is installed here."""
_MISSING = re.compile(r"No module named '([\w.]+)'")
_DISTRIBUTIONS = {
    "Bio": "biopython",
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "fitz": "pymupdf",
    "keras_cv": "keras-cv",
    "keras_hub": "keras-hub",
    "keras_nlp": "keras-nlp",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "tensorflow_datasets": "tensorflow-datasets",
    "tensorflow_probability": "tensorflow-probability",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}
"""Packages that are called otherwise than the module that they bring."""


@dataclass(frozen=True)
class Requirement:
    """One package that is asked for.

    Attributes
    ----------
    text
        As uv reads it: ``pandas>=2 ; python_version < "3.13"``.
    line
        Where it stands, from 1.
    """

    name: str
    text: str
    line: int


def parse(text: str) -> tuple[Requirement, ...]:
    """Read the lines; comments and empty ones are none.

    >>> [one.text for one in parse("pandas>=2  # tables\\n\\n%pip install -q 'polars[all]' rich\\n")]
    ['pandas>=2', 'polars[all]', 'rich']

    Raises
    ------
    RecipeError
        A line that is no name of a package with a version, with its number.
    """
    found: list[Requirement] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        plain = re.sub(r"(^|\s)#.*", "", line).strip()
        if not plain:
            continue
        pip = _PIP.fullmatch(plain)
        for one in _words(pip[1], line, number) if pip else [plain]:
            match = _LINE.fullmatch(one)
            if match is None:
                raise _refuse(one, number)
            found.append(Requirement(normal(match[1]), one, number))
    if len(found) > MOST:
        raise RecipeError(f"{FIELD} name {len(found)} packages, at most {MOST} are installed", field=FIELD)
    return tuple(found)


def missing_in(message: str) -> str | None:
    """The line that would bring the module which an error says is not there; ``None`` for any other error.

    >>> missing_in("preprocessing, line 1: ModuleNotFoundError: No module named 'sklearn.svm'")
    'scikit-learn'
    """
    match = _MISSING.search(message)
    return suggestion(match[1]) if match else None


def suggestion(module: str) -> str:
    """The package that brings a module, as far as that is known: most are called alike."""
    top = module.partition(".")[0]
    return _DISTRIBUTIONS.get(top, normal(top))


def normal(name: str) -> str:
    """A package's name as indexes compare it.

    >>> normal("Scikit_Learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def _words(arguments: str, line: str, number: int) -> list[str]:
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        raise _refuse(line.strip(), number) from error
    return [word for word in words if word not in _QUIET]


def _refuse(said: str, number: int) -> RecipeError:
    if said.startswith("-"):
        out = "options of pip are not taken: where packages come from is set for the whole workbench, by uv's UV_INDEX_URL"
    elif (
        "://" in said
        or "@" in said
        or said.startswith((".", "/", "~"))
        or said.endswith((".whl", ".gz", ".zip"))
    ):
        out = "only packages of the index are installed, as wheels: put a module of your own beside the recipe instead"
    else:
        out = "give a package's name and, if it matters, its version, a line each: pandas, scikit-learn>=1.5"
    return RecipeError(
        f"{FIELD}, line {number}: {said[:120]!r} is no package that can be installed; {out}",
        field=FIELD,
        line=number,
    )
