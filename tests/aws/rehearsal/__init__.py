"""One hour on a real account, for about two dollars: everything that the workbench does on AWS, once, as a person would.

``python -m tests.aws.rehearsal`` says what it will do and cost, asks, and does it, with the credentials and the region that are
set: doctor, plan, launch, a training with a parameter server on demand and one on spot machines, deploy, draw, stop and start, a
launch killed by signal 9, release, audit. The next day ``python -m tests.aws.rehearsal cost FOLDER`` compares what AWS
charged with what was counted here.

It cannot run away. What exists is counted by asking AWS, every few seconds (``meter.py``); before its cap is reached whatever
runs is ended and everything released. Should this process die, another one releases everything (``switch.py``); should this
computer die, each machine switches itself off: those of clusters by their own time-to-live, those of the application by a
``shutdown`` that they were told at the start.

What AWS answered is kept, names taken out, for tests to parse (``replies.py``). ``--emulator`` does all of it on the emulator.
"""
