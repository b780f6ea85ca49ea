"""Figures as people write them."""

from datetime import datetime


def percent(share: float, digits: int = 2) -> str:
    """Give a share, 0 to 1, in percent.

    >>> percent(0.99314), percent(0.5, 0)
    ('99.31 %', '50 %')
    """
    return f"{100 * share:.{digits}f} %"


def sure(share: float) -> str:
    """Give a probability in percent as ``frontend/static/percent.js`` does: never 0 % or 100 %, since back ends round.

    >>> [sure(p) for p in (0.98234, 0.99991, 1, 0.0004, 0)]
    ['98.2 %', '>99.9 %', '>99.9 %', '<0.1 %', '<0.1 %']
    """
    if share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if share > 0.999 else percent(share, 1)


def duration(seconds: float) -> str:
    """Give a duration in words.

    >>> [duration(s) for s in (0.4, 36, 95, 7260)]
    ['less than a second', '36 s', '1 min 35 s', '2 h 1 min']
    """
    if seconds < 1:
        return "less than a second"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def time_left(seconds: float) -> str:
    """Give the time that something may still take; an estimate says that it is one.

    >>> time_left(0.2), time_left(12.3)
    ('almost done', 'about 12 s left')
    """
    return "almost done" if seconds < 1 else f"about {duration(seconds)} left"


def layout(ps: int, workers: int) -> str:
    """Give how many machines of which role a job trains on, where there is room for words.

    >>> layout(0, 1), layout(1, 2), layout(2, 1)
    ('1 worker', '1 parameter server, 2 workers', '2 parameter servers, 1 worker')
    """
    servers = f"{ps} parameter server{'' if ps == 1 else 's'}, " if ps else ""
    return f"{servers}{workers} worker{'' if workers == 1 else 's'}"


def narrow_layout(ps: int, workers: int) -> str:
    """Give a layout where there is little room, such as in a table or beside a bar.

    >>> narrow_layout(0, 1), narrow_layout(0, 2), narrow_layout(1, 2)
    ('one process', '2 workers', '1 ps + 2 workers')
    """
    if ps:
        return f"{ps} ps + {layout(0, workers)}"
    return "one process" if workers == 1 else layout(0, workers)


def money(dollars: float) -> str:
    """Give US dollars, as ``words.js`` does; nothing to pay is said in words.

    >>> money(0), money(0.004), money(12.5)
    ('free', '$0.004', '$12.50')
    """
    return "free" if dollars == 0 else f"${dollars:.{3 if dollars < 0.1 else 2}f}"


def ordinal(number: int) -> str:
    """Give a place in an order.

    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '102nd', '111th']
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def megabytes(count: int) -> str:
    """Give a number of bytes in MB or kB.

    >>> megabytes(1_250_000), megabytes(12_000)
    ('1.2 MB', '12 kB')
    """
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.0f} kB"


def unix_seconds(text: str) -> float:
    """Read a time as manifests and the back end write it; seconds since 1970.

    >>> unix_seconds("1970-01-02T00:00:00Z")
    86400.0
    """
    return datetime.fromisoformat(text).timestamp()
