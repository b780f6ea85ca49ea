"""A whole workbench under load while its processes are killed and its disk fills: ``python -m tests.soak --minutes 5``.

``schedule`` decides beforehand what is done when, ``acting`` does it, ``drawings`` draws meanwhile, ``judging`` says from
what was noted whether everything that was promised held, ``figures`` shows it.
"""
