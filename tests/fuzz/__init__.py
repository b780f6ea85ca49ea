"""Hostile input by the ten thousand: ``make fuzz INPUTS=50000``.

Each target (``targets.py``) reads one kind of input that strangers or crashed processes leave. Valid examples are damaged
(``damage.py``) by a seeded source of chance and fed in; the only errors allowed are the ones that the target's own
documentation names. An input that raises another is kept in ``crashes/``, and from then on is a test.
"""
