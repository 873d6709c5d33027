"""Charts as inline SVG: no script, no font and no address, so they work in a file and in print.

The lines are drawn in a box of 100 by 100 that stretches with the page; texts are HTML around it
and keep their size.
"""

from collections.abc import Sequence

from markupsafe import Markup

_BOX = 100


def bar(share: float | None, tone: str = "risk") -> Markup:
    """A horizontal bar, from 0 to 1; says nothing to screen readers, the number beside it does."""
    width = _BOX * min(1.0, max(0.0, share or 0.0))
    return Markup(
        '<svg class="bar {}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/><rect width="{:.2f}" height="8"/></svg>'
    ).format(tone, width)


def line(
    values: Sequence[float | None], top: float, tone: str = "accent", fill: bool = True
) -> Markup:
    """A line over evenly spaced points of time; a gap where there is no value.

    Args:
        top: The value at the upper edge; 0 is the lower one.
    """
    pieces = _pieces(values, top)
    area = Markup("").join(
        Markup('<polygon points="{:.2f},100 {} {:.2f},100"/>').format(
            piece[0][0], _points(piece), piece[-1][0]
        )
        for piece in (pieces if fill else [])
    )
    lines = Markup("").join(
        Markup('<polyline points="{}"/>').format(_points(piece)) for piece in pieces
    )
    return Markup(
        '<svg class="line {}" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="grid" d="M0 0H100M0 50H100M0 100H100"/>{}{}</svg>'
    ).format(tone, area, lines)


def _pieces(values: Sequence[float | None], top: float) -> list[list[tuple[float, float]]]:
    """Runs of neighbours that have values; one alone is drawn as a short dash."""
    step = _BOX / max(1, len(values) - 1)
    pieces: list[list[tuple[float, float]]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((i * step, _BOX - _BOX * min(1.0, value / top if top else 0.0)))
    return [
        piece if len(piece) > 1 else [(max(0, x - 0.5), y), (min(_BOX, x + 0.5), y)]
        for piece in pieces
        if piece
        for x, y in piece[:1]
    ]


def _points(piece: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in piece)


def agreement(points: Sequence[tuple[float, float, float]]) -> Markup:
    """Predicted against observed shares: a point on the diagonal is a promise kept.

    Args:
        points: Predicted share, observed share and the point's part of all, each 0 to 1.
    """
    dots = Markup("").join(
        Markup('<circle cx="{:.2f}" cy="{:.2f}" r="{:.2f}"/>').format(
            _BOX * x, _BOX - _BOX * y, 1.2 + 5 * part**0.5
        )
        for x, y, part in points
    )
    return Markup(
        '<svg class="agreement" viewBox="-4 -4 108 108" aria-hidden="true">'
        '<path class="grid" d="M0 0H100V100H0ZM0 50H100M50 0V100"/>'
        '<path class="diagonal" d="M0 100L100 0"/>{}</svg>'
    ).format(dots)


def highest(values: Sequence[float | None]) -> float:
    """The largest of those that are known, 0 if none is."""
    return max((value for value in values if value is not None), default=0.0)


def ceiling(highest: float) -> float:
    """A round number not below, for the upper edge of a chart."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(highest))) - 1) if highest >= 1 else 0.01
    while highest > 10 * power:
        power *= 10
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= highest)
