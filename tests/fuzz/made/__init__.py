"""Valid inputs by the thousand, as other people's programs write them: each must be understood, not only survived.

A generator (``pictures.py``, ``models.py``, ``notebooks.py``) makes cases of one kind by a seeded source of chance: the bytes, and
what must be found in them. ``make fuzz`` checks 5,000 of each; a case that fails is kept in ``finds/`` and is a test from
then on.
"""
