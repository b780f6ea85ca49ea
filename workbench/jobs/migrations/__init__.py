"""How the job store's tables came to be: one file a revision, run by ``jobs.Store`` at its start.

A revision only adds. MariaDB commits each statement on its own, so a revision that was interrupted is run again
on what it had already done: the functions here leave alone what is there.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGTEXT

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
CODE = sa.Text().with_variant(LONGTEXT, "mysql")
"""A text of any length."""
NAME = sa.String(255)


def create_table(name: str, *parts: Any) -> None:
    """Create the table unless it is there: names are case-sensitive, texts are all of Unicode."""
    if not sa.inspect(op.get_bind()).has_table(name):
        op.create_table(
            name,
            *parts,
            mysql_engine="InnoDB",
            mysql_charset="utf8mb4",
            mysql_collate="utf8mb4_bin",
            sqlite_autoincrement=True,
        )


def add_columns(table: str, *columns: sa.Column[Any]) -> None:
    """Add those of the columns that the table lacks."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
    for column in columns:
        if column.name not in there:
            op.add_column(table, column)


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Create the index unless it is there."""
    if name not in {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, columns)
