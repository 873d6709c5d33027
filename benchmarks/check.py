"""Says whether a run slipped: ratios only, with margins so wide that noise does not reach them."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.rounds import Line, Spread


class Slip(NamedTuple):
    """A ratio that must not fall below its floor.

    Attributes:
        part: Where both contestants stand.
        floor: About half of what is measured, so that a slip of a factor of two is caught.
    """

    part: str
    ours: str
    other: str
    floor: float


RATIOS = (
    Slip("throughput", "churnstream, at least once", "pass-through, at least once", 0.25),
    Slip("throughput", "churnstream, exactly once", "churnstream, at least once", 0.45),
    Slip("producer", "churnstream, batch mode", "ready-made bytes, transaction per batch", 0.4),
)


def slips(found: dict[str, list[Line]]) -> list[str]:
    """What is too slow, in words.

    A ratio whose contestants did not both run is not judged: parts may be left out, and the
    embedded broker has no transactions.
    """
    told = []
    for ratio in RATIOS:
        rates = {line.name: Spread.of(line.rates).median for line in found.get(ratio.part, [])}
        if {ratio.ours, ratio.other} <= rates.keys():
            measured = rates[ratio.ours] / rates[ratio.other]
            if measured < ratio.floor:
                told.append(
                    f"{ratio.ours}: {measured:.2f} of {ratio.other}, at least {ratio.floor} asked"
                )
    return told
