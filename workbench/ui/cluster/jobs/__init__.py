"""The jobs: their table, the page of one, several compared."""
