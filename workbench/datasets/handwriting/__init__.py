"""Digits as many hands write them with a pen, made from the ways in which each digit is written.

    form ──bend──▶ strokes of one hand ──draw──▶ ink (72, 72) ──pictures.ink.fit──▶ (28, 28)

A *form* is one way to write a digit: with a flag or without, open or closed, in one stroke or two. There are those that
are taught at school in one country or another, and what they become in a hurry: the 1 with a flag and a base, the 2 with
a loop, the 3 with a flat top, the open and the closed 4, the 5 in one stroke and in two, the 6 whose loop crosses its
stem, the crossed 7, the 8 begun above or in the middle or made of two rounds, the 9 with a straight or a curled tail.
Nobody's drawings were copied: a form is a few points and arcs, each with bounds for its proportions.
"""

from workbench.datasets.handwriting.hand import Drawing, write
from workbench.datasets.handwriting.pen import draw, draw_all

__all__ = ["Drawing", "draw", "draw_all", "write"]
