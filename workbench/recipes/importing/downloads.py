"""Downloads of a notebook: machines have no network, so data comes from here or from beside the recipe."""

import ast
import re

from workbench.recipes.importing.cells import Statement

OURS = {"mnist": "mnist", "fashion_mnist": "fashion-mnist"}
_FETCHES = re.compile(
    r"https?://|\bget_file\(|\btfds\.load\(|datasets\.\w+\.load_data\(|\bload_dataset\(|\bfetch_\w+\(|gdown|kagglehub|\bkaggle\.|\bkaggle (?:datasets|competitions)"
)
_ELSEWHERE = re.compile(r"~[/\\]|[A-Za-z]:[/\\]|\.\.[/\\]|/\w[\w .-]*/")
"""How a path begins that leads to a file of one computer: none of a recipe's own."""
_COLAB = re.compile(r"google\.colab|/content/|drive\.mount|files\.upload")


def adapt(statement: Statement) -> tuple[str, list[str]]:
    """The statement's text with our data sets taken from here, and what is to be said of what it fetches."""
    text, notes = with_ours(statement.text), []
    if text != statement.text:
        notes.append(
            f"cell {statement.cell}: the data set is the workbench's own, for machines have no network: datasets.load(…)"
        )
    elif _FETCHES.search(code := ast.unparse(statement.node)):
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
    if _COLAB.search(text):
        notes.append(
            f"cell {statement.cell}: {_first(statement)} is Colab's: put the file beside the recipe and open it by its name"
        )
    return text, notes


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
