"""Pictures of predictions: ranking, calibration, gain and profit, a line for each model.

Needs the extra `plots`. Written as SVG, the same bytes for the same figures.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import metrics

from churnstream import extras
from churnstream.errors import ModelError
from churnstream.model.profit import Offer, curve, gains, with_cost
from churnstream.model.quality import Array, Predictions, bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 200  # of a line; more would not be seen
_STYLE: Any = {
    "svg.hashsalt": "churnstream",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
}

Models = Mapping[str, Predictions]


def draw(models: Models, offer: Offer, folder: Path) -> list[Path]:
    """Draw all pictures into a folder: ranking.svg, calibration.svg, gain.svg, profit.svg.

    Args:
        models: By the name in the legend; the first stands out.
        offer: By which profit counts.

    Raises:
        ConfigurationError: matplotlib is not installed.
        ModelError: The folder cannot be written.
    """
    require()

    def profit(axes: "Axes", models: Models) -> None:
        _profit(axes, models, offer)

    pictures: dict[str, Sequence[Callable[[Axes, Models], None]]] = {
        "ranking": (_roc, _precision_recall),
        "calibration": (_calibration,),
        "gain": (_gain,),
        "profit": (profit,),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_picture(folder / f"{name}.svg", parts, models) for name, parts in pictures.items()]
    except OSError as error:
        raise ModelError(f"no pictures in {folder}: {error.strerror}") from error


def require() -> None:
    """Make sure that there is something to draw with, before long work.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    with extras.named():
        import matplotlib  # noqa: F401


def _picture(path: Path, parts: Sequence[Callable[["Axes", Models], None]], models: Models) -> Path:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4 * len(parts), 4.8), layout="constrained")
        every = figure.subplots(1, len(parts), squeeze=False)[0]
        for part, axes in zip(parts, every, strict=True):
            part(axes, models)
        every[0].legend(frameon=False, fontsize="small")
        figure.savefig(path, metadata={"Date": None})
    return path


def _line(axes: "Axes", number: int, name: str, x: Array, y: Array, marker: str = "") -> None:
    some = np.unique(np.linspace(0, len(x) - 1, _POINTS).astype(int))
    first = number == 0
    axes.plot(
        x[some],
        y[some],
        label=name,
        color=f"C{number}",
        linewidth=2.2 if first else 1.1,
        zorder=3 if first else 2,
        marker=marker,
    )


def _roc(axes: "Axes", models: Models) -> None:
    for number, (name, found) in enumerate(models.items()):
        wrong, right, _ = metrics.roc_curve(found.labels, found.probabilities)
        _line(axes, number, name, wrong, right)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(title="ROC", xlabel="called, of those who stay", ylabel="called, of the churners")


def _precision_recall(axes: "Axes", models: Models) -> None:
    for number, (name, found) in enumerate(models.items()):
        precision, recall, _ = metrics.precision_recall_curve(found.labels, found.probabilities)
        _line(axes, number, name, recall, precision)
    axes.set(title="Precision and recall", xlabel="recall", ylabel="precision", ylim=(0, 1))


def _calibration(axes: "Axes", models: Models) -> None:
    for number, (name, found) in enumerate(models.items()):
        each = bins(found.probabilities)
        said = np.array([np.mean(found.probabilities[rows]) for rows in each])
        happened = np.array([np.mean(found.labels[rows]) for rows in each])
        _line(axes, number, name, said, happened, marker=".")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(
        title="Calibration, ten bins of equal mass",
        xlabel="mean probability",
        ylabel="share of churners",
    )


def _gain(axes: "Axes", models: Models) -> None:
    for number, (name, found) in enumerate(models.items()):
        caught = np.cumsum(found.labels[np.argsort(-found.probabilities, kind="stable")])
        asked = np.arange(1, len(caught) + 1) / len(caught)
        _line(axes, number, name, asked, caught / caught[-1])
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set(
        title="Cumulative gain",
        xlabel="share of customers, highest probability first",
        ylabel="share of the churners among them",
    )


def _profit(axes: "Axes", models: Models, offer: Offer) -> None:
    for number, (name, found) in enumerate(models.items()):
        points = curve(gains(with_cost(offer, found), found), found.probabilities)
        thresholds = np.array([point.threshold for point in points])
        _line(axes, number, name, thresholds, np.array([point.profit for point in points]))
    axes.axhline(0, color="grey", linestyle=":")
    axes.set(
        title="Profit of offers to all at or above a threshold",
        xlabel="threshold",
        ylabel="profit per customer",
    )
