"""What a person brings: folders and zips of pictures and texts, tables, arrays, each read in pieces, none trusted."""

from workbench.datasets.sources.base import How, Source
from workbench.datasets.sources.choice import open_source

__all__ = ["How", "Source", "open_source"]
