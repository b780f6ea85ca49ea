"""Every touch of a dependency's private or undocumented parts: one module a dependency.

Each says why, with a link where there is one, and when it can go. ``pyproject.toml`` bounds the versions of what is
touched, and ``tests/upstream`` fails when one of them changes. No module here imports another one's dependency.
"""
