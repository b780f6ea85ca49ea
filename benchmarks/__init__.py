"""What the project costs beside what one would otherwise do: ``python -m benchmarks [SECTION …]``.

A section is a module here with ``run() -> list[Row]``; it measures us and the peer in turns, in the same run.
"""
