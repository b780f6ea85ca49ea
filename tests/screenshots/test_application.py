"""The pictures of the application on AWS are taken of a notebook whose text no type checker reads."""

import ast
import importlib

from tests.screenshots import application


def test_what_the_notebook_imports_is_there() -> None:
    wanted = [node for node in ast.parse(application.SHOW).body if isinstance(node, ast.ImportFrom)]
    assert len(wanted) > 3
    for each in wanted:
        assert each.module
        module = importlib.import_module(each.module)
        assert all(hasattr(module, name.name) for name in each.names)
