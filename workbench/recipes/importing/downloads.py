"""Downloads of a notebook: machines have no network, so data comes from here or from beside the recipe."""

import ast
import re
from collections.abc import Sequence

from workbench.recipes.importing.cells import Statement
from workbench.recipes.importing.fits import last_name

OURS = {"mnist": "mnist", "fashion_mnist": "fashion-mnist"}
_FETCHES = re.compile(
    r"https?://|\bget_file\(|\btfds\.load\(|datasets\.\w+\.load_data\(|\bload_dataset\(|\bfetch_\w+\(|gdown|kagglehub|\bkaggle\.|\bkaggle (?:datasets|competitions)"
)
_ELSEWHERE = re.compile(r"~[/\\]|[A-Za-z]:[/\\]|\.\.[/\\]|/\w[\w .-]*/")
"""How a path begins that leads to a file of one computer: none of a recipe's own."""
_COLAB = re.compile(r"google\.colab|/content/|drive\.mount|files\.upload")


_PRETRAINED = re.compile(
    r"weights\s*=\s*['\"]imagenet|\.from_preset\(|\.from_pretrained\(|\bapplications\.(?:\w+\.)?[A-Z]\w+\((?!.*\bweights\b)"
)
_READS = {
    *(
        "genfromtxt",
        "image_dataset_from_directory",
        "flow_from_directory",
        "listdir",
        "load",
        "load_img",
        "loadmat",
    ),
    *("loadtxt", "open", "Path", "read_csv", "read_excel", "read_json", "read_parquet", "read_table"),
    *("text_dataset_from_directory", "audio_dataset_from_directory", "TextLineDataset", "TFRecordDataset"),
}
"""Functions whose first argument is a file or a folder."""


def from_beside(statements: Sequence[Statement]) -> tuple[list[Statement], list[str]]:
    """The statements with the files that ``files.upload()`` of Colab would give read from beside the recipe."""
    found, notes = list(statements), list[str]()
    for place, one in enumerate(statements):
        match one.node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func)) if ast.unparse(
                func
            ).endswith("files.upload"):
                named = sorted(_keys(name, statements))
                if named:
                    read = f"{name} = {{name: open(name, 'rb').read() for name in {named}}}"
                    found[place] = Statement(one.cell, ast.parse(read).body[0], read)
                    notes.append(
                        f"cell {one.cell}: put {', '.join(named)}, which is uploaded there, beside the recipe"
                    )
    return found, notes


def _keys(name: str, statements: Sequence[Statement]) -> set[str]:
    """The texts by which a dict of this name is asked."""
    return {
        node.slice.value
        for one in statements
        for node in ast.walk(one.node)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == name
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
    }


def adapt(statement: Statement) -> tuple[str, list[str]]:
    """The statement's text with our data sets taken from here, and what is to be said of what it fetches."""
    text, notes = with_ours(statement.text), []
    if text != statement.text:
        notes.append(
            f"cell {statement.cell}: the data set is the workbench's own, for machines have no network: datasets.load(…)"
        )
    elif _PRETRAINED.search(code := ast.unparse(statement.node)):
        notes.append(
            f"cell {statement.cell}: {_first(statement)} fetches trained weights from the network, which machines have not: put "
            "their file beside the recipe and load it from there, or begin with weights=None"
        )
    elif _FETCHES.search(code):
        notes.append(
            f"cell {statement.cell}: {_first(statement)} fetches from the network, which machines have not: workbench data add NAME "
            'SOURCE, then datasets.load("NAME"); or put the file beside the recipe'
        )
    elif not _COLAB.search(code):
        notes += [
            f"cell {statement.cell}: {node.value[:60]!r} is a file of another computer: put it beside the recipe and open it by its "
            "name alone"
            for node in ast.walk(statement.node)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ELSEWHERE.match(node.value)
        ]
        notes += [
            f"cell {statement.cell}: put {path!r} beside the recipe, or make a data set of it: workbench data add NAME {path}"
            for path in _opened(statement.node)
        ]
    if _COLAB.search(text):
        notes.append(
            f"cell {statement.cell}: {_first(statement)} is Colab's: put the file beside the recipe and open it by its name"
        )
    return text, notes


def _opened(node: ast.AST) -> list[str]:
    """Files and folders that lie where the notebook is."""
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call) and one.args]
    paths = [
        one.args[0].value
        for one in calls
        if isinstance(one.args[0], ast.Constant) and last_name(one.func) in _READS
    ]
    return [
        path for path in paths if isinstance(path, str) and not _ELSEWHERE.match(path) and "://" not in path
    ]


def left_out(statement: Statement) -> list[str]:
    """What is to be said of a statement that no field has: the file that it would have fetched."""
    if not _FETCHES.search(statement.text) or with_ours(statement.text) != statement.text:
        return []
    return [
        f"cell {statement.cell}: {_first(statement)} fetches from the network and is left out: put the file that is read "
        "beside the recipe, or workbench data add NAME SOURCE"
    ]


def with_ours(text: str) -> str:
    """The text with Keras' own copies of our data sets taken from here."""
    return re.sub(
        r"(?<![\w.])(?:\w+\.)*(mnist|fashion_mnist)\.load_data\((?:[^()]++|\([^()]*\))*\)",
        lambda match: f'datasets.load("{OURS[match[1]]}")',
        text,
    )


def _first(statement: Statement) -> str:
    line = ast.unparse(statement.node).splitlines()[0]
    return line if len(line) <= 60 else line[:60] + " …"
