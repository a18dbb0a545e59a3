"""Pictures in our own SVG: bars over time, columns, curves. What is written beside them is HTML, so that it stays
readable when a picture becomes as narrow as a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .markup import Markup, tag
from .scale import WIDTH, Scale

HEIGHT = 12.0
_LEAST = 1.5
"""How wide a bar is at least, of 1,000."""

MOST_POINTS = 500
"""A curve shows the highest of what falls on one place; more could not be told apart."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in a row: ``kind`` is a class of the style sheet, ``title`` what a pointer shows."""

    begin_s: float
    end_s: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Marks:
    """Instants that go through all rows, and the stretch between them."""

    frozen_s: float | None = None
    opened_s: float | None = None


def row(scale: Scale, bars: Iterable[Bar], marks: Marks | None = None) -> Markup:
    """The picture of one row."""
    marks = marks or Marks()
    shapes = [_tint(scale, marks, HEIGHT), *_grid(scale, HEIGHT)]
    drawn_to: dict[str, float] = {}
    for bar in bars:
        begin, end = scale.place(bar.begin_s), scale.place(bar.end_s)
        if end - begin < _LEAST / 2 and drawn_to.get(bar.kind, -1.0) > begin + _LEAST / 2:
            continue  # it would be drawn on top of the one before
        shapes.append(_bar(bar, begin, max(end - begin, _LEAST)))
        drawn_to[bar.kind] = begin + max(end - begin, _LEAST)
        if scale.is_broken(bar.begin_s, bar.end_s):
            shapes += _cuts(scale, bar)
    return _picture(HEIGHT, [*shapes, *_marks(scale, marks, HEIGHT)])


def axis(scale: Scale, label: Callable[[float], str]) -> Markup:
    """The labels of a time axis, for above or below its rows."""
    ticks = scale.ticks()
    labels = []
    for number, at in enumerate(ticks):
        share = scale.place(at) / WIDTH * 100
        edge = "first" if share < 6 else "last" if share > 94 else ""
        classes = " ".join(filter(None, [edge, "odd" if number % 2 else ""])) or None
        labels.append(tag("span", label(at), class_=classes, style=f"left:{share:.2f}%"))
    return tag("div", *labels, class_="axis", aria_hidden="true")


def columns(
    values: Sequence[float], begin_s: float, each_s: float, marks: Marks, label: Callable[[float], str]
) -> Markup:
    """One column for each stretch of time."""
    scale = Scale(begin_s, begin_s + each_s * len(values), origin_s=marks.frozen_s or 0.0)
    most = max([*values, 1])
    height = 100.0
    shapes = [_tint(scale, marks, height)]
    for number, value in enumerate(values):
        left, right = (scale.place(begin_s + each_s * at) for at in (number, number + 1))
        tall = height * value / most
        shapes.append(
            tag(
                "rect",
                tag("title", f"{label(begin_s + each_s * number)}: {value:g}"),
                class_="work",
                **_box(left + 0.5, height - tall, max(right - left - 1, 0.5), tall),
            )
        )
    shapes += _marks(scale, marks, height)
    labels = [_y(0, f"{most:g}"), _y(100, "0")]
    return tag("div", *labels, _picture(height, shapes), axis(scale, label), class_="plot")


def curves(
    lines: Mapping[str, Sequence[tuple[float, float]]], unit: Callable[[float], str], label: Callable[[float], str]
) -> Markup:
    """A curve for each name, of instants and values."""
    points = [point for line in lines.values() for point in line]
    scale = Scale(min(at for at, _ in points), max(at for at, _ in points))
    most, height = max(max(value for _, value in points), 1e-9), 100.0
    shapes = [*_grid(scale, height), tag("path", class_="grid", d=f"M0 {height:g}H{WIDTH:g}M0 0H{WIDTH:g}")]
    for number, line in enumerate(lines.values()):
        drawn = " ".join(f"{x:.1f},{height * (1 - y / most):.2f}" for x, y in _thinned(scale, line))
        shapes.append(tag("polyline", points=drawn, class_=f"curve s{number % 6}"))
    labels = [_y(0, unit(most)), _y(100, unit(0))]
    return tag("div", *labels, _picture(height, shapes), axis(scale, label), class_="plot")


def legend(names: Iterable[str]) -> Markup:
    """Which curve is whose."""
    items = [
        tag("li", _picture(2, [tag("path", d=f"M0 1H{WIDTH:g}", class_=f"curve s{number % 6}")]), name)
        for number, name in enumerate(names)
    ]
    return tag("ul", *items, class_="legend")


def _thinned(scale: Scale, line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    highest: dict[int, tuple[float, float]] = {}
    for at, value in line:
        x = scale.place(at)
        place = int(x / WIDTH * MOST_POINTS)
        if place not in highest or value > highest[place][1]:
            highest[place] = (x, value)
    return [highest[place] for place in sorted(highest)]


def _picture(height: float, shapes: Iterable[Markup | None]) -> Markup:
    """It stands beside words that say the same, so nobody has to have it read out."""
    box = f"0 0 {WIDTH:g} {height:g}"
    return tag("svg", *shapes, viewBox=box, preserveAspectRatio="none", aria_hidden="true", focusable="false")


def _bar(bar: Bar, begin: float, width: float) -> Markup:
    return tag("rect", tag("title", bar.title), class_=bar.kind, **_box(begin, 1.5, width, HEIGHT - 3))


def _cuts(scale: Scale, bar: Bar) -> list[Markup]:
    inside = [each for each in scale.breaks if bar.begin_s <= each.begin_s and each.end_s <= bar.end_s]
    middles = [(scale.place(each.begin_s) + scale.place(each.end_s)) / 2 for each in inside]
    return [
        tag("path", class_="cut", d=f"M{middle + shift - 4:.1f} {HEIGHT:g}L{middle + shift + 4:.1f} 0")
        for middle in middles
        for shift in (-5, 5)
    ]


def _grid(scale: Scale, height: float) -> list[Markup]:
    drawn = "".join(f"M{scale.place(at):.1f} 0V{height:g}" for at in scale.ticks())
    return [tag("path", class_="grid", d=drawn)] if drawn else []


def _tint(scale: Scale, marks: Marks, height: float) -> Markup | None:
    if marks.frozen_s is None or marks.opened_s is None:
        return None
    begin, end = scale.place(marks.frozen_s), scale.place(marks.opened_s)
    return tag("rect", class_="tint", **_box(begin, 0, max(end - begin, 0), height))


def _marks(scale: Scale, marks: Marks, height: float) -> list[Markup]:
    known = (("mark", marks.frozen_s), ("mark opened", marks.opened_s))
    return [tag("path", class_=kind, d=f"M{scale.place(at):.1f} 0V{height:g}") for kind, at in known if at is not None]


def _box(x: float, y: float, width: float, height: float) -> dict[str, str]:
    numbers = {"x": x, "y": y, "width": width, "height": height}
    return {name: f"{number:.2f}".rstrip("0").rstrip(".") for name, number in numbers.items()}


def _y(percent: float, text: str) -> Markup:
    return tag("span", text, class_="y", style=f"top:{percent / 100 * 9:g}rem")
