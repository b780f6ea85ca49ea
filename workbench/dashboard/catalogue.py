"""Which notebooks are pages, in which order, and what is said of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NotebookPage:
    """A notebook that Voilà serves."""

    notebook: str
    """Its file's name, in the folder of notebooks."""
    title: str
    sentence: str
    light: bool
    """Whether opening it leaves TensorFlow alone; a kernel of another one is a fork, or takes 600 MB and seven seconds."""

    @property
    def path(self) -> str:
        """Below the server's base URL."""
        return f"voila/render/{self.notebook}"


PAGES = (
    NotebookPage(
        "00-mnist-cnn.ipynb",
        "Tutorial",
        "Make a small network that reads handwritten digits, step by step, and draw digits at it.",
        light=False,
    ),
    NotebookPage(
        "datasets.ipynb",
        "Data sets",
        "Bring your own pictures, tables, texts or arrays, look at what is in them, and make a recipe of them.",
        light=True,
    ),
    NotebookPage(
        "deploy_cluster.ipynb",
        "Train on a cluster",
        "Ask for machines, train a model on them with parameter servers and workers, and watch it learn.",
        light=True,
    ),
    NotebookPage(
        "serve_and_predict.ipynb",
        "Models and serving",
        "Compare the versions, put one behind the drawing page or roll back, and ask it about pictures.",
        light=True,
    ),
)


def existing(folder: Path, pages: Iterable[NotebookPage] = PAGES) -> list[NotebookPage]:
    """The pages whose notebook is in the folder."""
    return [page for page in pages if (folder / page.notebook).is_file()]
