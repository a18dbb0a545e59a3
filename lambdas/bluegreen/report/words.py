"""Figures as people read them."""

from __future__ import annotations

from datetime import datetime

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def duration(seconds: float | None) -> str:
    """
    >>> [duration(each) for each in (None, 0, 0.0421, 2.06, 65, 7_500, 190_000)]
    ['', '0 ms', '42 ms', '2.1 s', '1 min 5 s', '2 h 5 min', '2 d 4 h']
    >>> duration(59.97), duration(3_599.8)
    ('1 min', '1 h')
    """
    if seconds is None:
        return ""
    if seconds < 0.9995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    said: list[str] = []
    left = round(seconds)
    for unit, size in _UNITS:
        if left >= size or said:
            said.append(f"{left // size} {unit}" if left // size else "")
            left %= size
        if len(said) == 2:
            break
    return " ".join(filter(None, said))


def count(number: float | None) -> str:
    """
    >>> count(1234567), count(None)
    ('1,234,567', '')
    """
    return "" if number is None else f"{number:,}"


def size(number: float | None) -> str:
    """
    >>> size(0), size(14_228_503), size(512), size(None)
    ('0 B', '14.2 MB', '512 B', '')
    """
    if number is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def dollars(number: float) -> str:
    """
    >>> dollars(0.0031), dollars(12.5)
    ('$0.0031', '$12.50')
    """
    return f"${number:.2f}" if number >= 1 else f"${number:.4f}"


def when(instant: str | None) -> str:
    """An instant of the record, to the second.

    >>> when("2026-11-23T22:14:32.461Z"), when(None)
    ('2026-11-23 22:14:32 UTC', '')
    """
    return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M:%S} UTC" if instant else ""


def clock(instant: str | None) -> str:
    """
    >>> clock("2026-11-23T22:14:32.461Z")
    '22:14:32.461'
    """
    return instant[11:].rstrip("Z") if instant else ""


def plural(number: int, noun: str) -> str:
    """
    >>> plural(1, "row"), plural(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"
