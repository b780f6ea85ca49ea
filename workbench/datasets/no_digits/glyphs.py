"""Letters and signs that are no digit, as a pen writes them: strokes through a few points each.

A stroke is told by its points, two characters each: how far right and how far down, in tenths (``a`` is ten). After ``/`` there
is a corner at each point, after ``~`` a curve goes through them. Left out is whatever a digit is written like: O, I and l, S,
Z, and b, g, q as many write them. Nobody's drawings were copied.
"""

import numpy as np
from numpy.typing import NDArray

from workbench.datasets.handwriting.curves import curve, path
from workbench.datasets.handwriting.hand import Drawing, bend

LETTERS = (
    *("~10 19|~18 45 76 7a", "/20 1a|~16 43 65 6a", "/10 1a|/80 8a|/15 86", "/20 2a|/80 7a|/26 75"),
    *("/10 55|/90 3a", "/20 56|/a0 1a", "/10 45 80|/45 4a", "/00 45|/a0 3a", "~20 34 55 73 80|~80 67 4a 29"),
    *(
        "~85 52 16 38 69 87|/80 8a",
        "~76 45 18 4a 78|~70 78 9a",
        "~13 42 74 7a|~75 35 17 2a 78",
        "~22 52 73 7a|~75 36 38 5a 78",
    ),
    *(
        "/30 2a 8a",
        "/20 29 79",
        "~10 17 4a 78 90",
        "/22 1a|~23 53 75 47 26",
        "/20 1a|~21 62 85 58 27",
        "/00 90|/40 4a",
    ),
    *("/0a 50 aa|/26 76", "~0a 14 50 84 aa|/06 a6", "/0a 50|/50 aa|/16 86", "~0a 60 7a|/36 96"),
    *("/10 1a|~10 60 92 64 15|~15 75 98 6a 1a", "~1a 10 60 82 54 15|~15 65 88 5a 1a"),
    *("~92 60 20 05 29 6a 98", "~81 40 05 4a 98", "~82 60 33 26 49 88"),
    *("/10 1a|~10 70 a5 7a 1a", "~10 1a 5a 95 60 00"),
    *(
        "/90 10 1a 9a|/15 75",
        "/10 1a|/10 90|/15 75|/1a 9a",
        "~91 40 13 55|~55 17 4a 98",
        "~85 50 14 55 17 5a 98",
    ),
    *("/90 10 1a|/15 75", "/30 2a|/20 a0|/25 75", "~90 50 31 3a|/15 75"),
    *("~92 60 20 05 29 6a 97|/56 96 9a", "~91 40 05 4a 96|/66 96 9a"),
    *("/10 1a|/90 9a|/15 95", "/20 0a|/a0 8a|/15 95", "/10 1a|~16 53 86 8a", "~20 2a|~27 54 77 7a"),
    *("~70 78 5a 28|/40 a0", "~60 68 3a 08|/20 a0"),
    *("/10 1a|/90 15 9a", "/20 1a|~91 35 15|/35 9a", "/10 1a|/84 16 8a", "/10 1a|~74 46 26|~36 68 9a"),
    *("/10 1a 9a", "~20 19 2a 9a", "/20 0a 8a", "~41 20 35 0a|~0a 49 9a"),
    *("/0a 10 56 90 aa", "~0a 01 20 46 50|~50 80 aa", "/02 0a|~05 22 45 4a|~45 62 85 8a", "/0a 20 5a 80 aa"),
    *("/1a 10 9a 90", "~1a 11 30 79 9a|/9a 90", "/12 1a|~15 42 75 7a", "~02 1a|~16 43 73 8a"),
    *("/10 1a|~10 70 93 66 16", "~1a 11 50 93 55 15", "/20 2a|~22 60 84 66 26"),
    *("~50 12 05 29 6a a6 92 50|/67 aa", "~60 20 05 4a 96 60|~46 79 aa"),
    *(
        "/10 1a|~10 70 93 65 15|/45 9a",
        "~1a 10 60 83 55 15|~35 68 9a",
        "/22 2a|~26 52 92",
        "~13 2a|~26 53 84",
    ),
    *("/00 a0|/50 5a", "~01 50 a1|/50 4a", "/40 49|~49 6a 98|/13 83", "/50 4a|/04 93", "~50 48 6a 98|/23 83"),
    *("~10 16 4a 7a 96 90", "~02 07 3a 68 82|/82 8a", "/10 17|~17 4a 79|/90 9a"),
    *("/00 5a a0", "~00 36 5a|/5a a0", "~10 4a 60 90", "/00 4a 70"),
    *("/00 3a 53 7a a0", "~00 28 3a 54|~54 7a 98 a0", "~01 18 48 52|~52 6a 97 a0"),
    *("/00 aa|/a0 0a", "~00 45 aa|~a0 55 0a", "~10 34 3a 0a|~90 54 6a aa", "/10 8a|/90 1a"),
    *("/00 55 a0|/55 5a", "~10 24 55 84 90|~90 86 3a", "~00 35 55|/a0 2a", "~00 13 45 82|~82 78 4a 19"),
    *("~82 40 05 4a 86 82|~82 88 aa", "~83 51 15 38 85|/82 8a", "~12 50 83 8a|~85 25 18 5a 87"),
    *("~86 54 17 4a 88|/80 8a", "~87 44 08 5a 85 80|/80 8a"),
    *("~15 95 72 40 05 29 6a 99", "~16 75 83 50 14 28 5a 89", "~06 65 52 22 28 6a a6"),
    *("~91 60 32 3a|/04 84", "~80 51 3a 1a|/14 84", "~70 41 49 3a 1a|/15 85"),
    *(
        "/1a 10 90",
        "/00 90 50 5a 1a 9a",
        "/90 10 55 1a 9a",
        "/00 a0|/30 2a|/70 8a",
        "/00 9a|/45 0a",
        "/0a 50 aa",
    ),
    *(
        "~90 46 28 05 22 56 9a",
        "/50 5a|/00 aa|/a0 0a",
        "/10 1a 90 9a",
        "/00 0a aa a0|/50 5a",
        "~00 05 39 79 a5 a0|/50 5a",
    ),
    *("/03 a3|/50 5a|/53 0a|/53 aa", "/50 0a|/44 aa", "/04 a4|/50 54 0a|/54 aa", "/00 a0 aa 0a 00|/05 a5"),
    *(
        "/00 a0|/05 a5|/0a aa|/50 5a",
        "/02 a2 a7 07 02|/50 5a",
        "/01 a1|~51 57 29|/05 a5|/2a aa",
        "/10 1a|/60 6a|/15 65",
    ),
)
"""Each as it is written in a way of its own; capital, small, Greek, Cyrillic and Asian."""
SIGNS = (
    *(
        "/50 5a|/05 a5",
        "/03 a3|/07 a7",
        "/30 2a|/80 7a|/03 a3|/07 a7",
        "/50 5a|/08 a2|/02 a8",
        "/05 a5|/48 52 48",
    ),
    *(
        "~30 12 34 52 30|/90 1a|~76 58 7a 98 76",
        "~9a 32 50 62 27 3a 78 96",
        "~67 44 37 67 63|~63 79 95 70 20 05 2a 8a",
    ),
    *(
        "~12 40 82 65 57 58",
        "~92 40 13 55 97 6a 08|/50 5a",
        "~91 50 24 27 5a 99|/04 64|/06 66",
        "~82 50 34 38 1a|/1a 9a|/15 75",
    ),
    *(
        "/05 4a a0",
        "~05 38 4a|/4a a0",
        "/05 a5|/62 a5 68",
        "/a5 05|/42 05 48",
        "/5a 50|/23 50 83",
        "/50 5a|/27 5a 87",
    ),
    *(
        "~53 30 02 14 5a|~5a 94 a2 80 53",
        "/50 2a a4 04 8a 50",
        "/00 a0 aa 0a 00",
        "/50 0a aa 50",
        "/50 05 5a a5 50",
    ),
    *(
        "~50 12 05 29 5a 98 a5 82 50|/00 aa",
        "~50 12 05 29 5a 98 a5 82 50|~37 58 77|/33 34|/73 74",
        "/0a 04 50 a4 aa 0a",
    ),
    *(
        "/00 a3 05 a8 0a",
        "/70 26 65 2a",
        "~05 22 44 57 88 a5 82 53 27 05",
        "/a0 05 aa",
        "/00 a5 0a",
    ),
    *(
        "~06 23 46 68 a4",
        "/70 20 2a 7a",
        "/30 80 8a 3a",
        "~70 42 44 25|~25 46 48 7a",
        "~90 61 59 1a",
        "/05 27 4a 60 a0",
    ),
    *(
        "/05 a5|/51 52|/58 59",
        "/51 52|/58 59",
        "/05 06|/55 56|/a5 a6",
        "/03 a3|/07 a7|/80 2a",
        "~3a 18 37 4a|/4a 40|~40 72 84",
    ),
    *("/00 0a aa a0", "/00 a0 aa", "/0a aa a0", "/00 a0|/00 0a|/a0 aa", "~0a 12 50 82 aa", "~00 18 5a 88 a0"),
    *("/05 a5|/05 35", "/02 a8", "/08 a2", "/00 a4 04 aa", "~05 12 38 52 78 92 a8", "/50 5a|/90 9a|/10 1a"),
    *(
        "~05 31 61 a5 69 39 05|~54 65 56 45 54",
        "/40 3a|/70 6a",
        "/20 1a|/60 5a|/a0 9a",
        "/20 80|/50 5a|/2a 8a|/25 85",
    ),
)
"""Signs of sums and of writing, arrows, figures, and lines that lie."""

JITTER = 0.045
"""Standard deviation of each point, in the glyph's height."""
TENTHS = "0123456789a"
Strokes = tuple[tuple[bool, NDArray[np.float64]], ...]


def parse(told: str) -> Strokes:
    """Take a glyph apart: for each stroke whether it is a curve, and its points ``(n, 2)``.

    >>> [(curved, points.tolist()) for curved, points in parse("/0a 50|~55 aa")]
    [(False, [[0.0, 1.0], [0.5, 0.0]]), (True, [[0.5, 0.5], [1.0, 1.0]])]
    """
    return tuple(
        (stroke[0] == "~", np.array([[TENTHS.index(c) / 10 for c in point] for point in stroke[1:].split()]))
        for stroke in told.split("|")
    )


def write(random: np.random.Generator, glyph: Strokes, count: int) -> list[Drawing]:
    """Write a glyph by so many hands."""
    strokes = []
    for curved, points in glyph:
        shaken = points + random.normal(0, JITTER, (count, *points.shape))
        along = [(shaken[:, k, 0], shaken[:, k, 1]) for k in range(len(points))]
        strokes.append(curve(*along) if curved and len(points) > 2 else path(*along))
    bent = bend(random, strokes, count)
    return [[stroke[hand] for stroke in bent] for hand in range(count)]
