"""For how long events waited, by what was predicted when, and after which fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from chaos.watch import Answer, Event


class _Wait(NamedTuple):
    """Events of a partition waited from one time to another, in milliseconds since 1970."""

    begin: int
    end: int


def longest_outage(events: Sequence[Event], answers: Sequence[Answer]) -> float:
    """The longest time, in seconds, that events of a partition waited and none was predicted.

    Between one prediction and the next nothing happened for their partition; that counts from the
    moment on which an event was there that got its prediction later. Predictions carry the time at
    which they were sent: how long their transaction took to commit is not in it. An event carries
    the time at which its producer made it: how long it took to send it is.
    """
    return max((end - begin for begin, end in _waits(events, answers)), default=0) / 1000


def outages(
    events: Sequence[Event], answers: Sequence[Answer], faults: Sequence[float]
) -> list[float]:
    """For each fault, the longest such time after it, in seconds.

    Args:
        faults: From when on predictions were to be expected again, in seconds since 1970 and in
            their order: the kill of a consumer, the return of a broker.
    """
    found, times = [0.0] * len(faults), [1000 * fault for fault in faults]
    for begin, end in _waits(events, answers):
        fault = int(np.searchsorted(times, begin))
        if fault == len(times) or times[fault] > end:
            fault -= 1  # the wait began after the one before, and ended before this one
        if fault >= 0:
            found[fault] = max(found[fault], (end - max(begin, times[fault])) / 1000)
    return found


def _waits(events: Sequence[Event], answers: Sequence[Answer]) -> Iterator[_Wait]:
    """Each wait of each partition, from one prediction to the next."""
    arrived = {event.position: event.timestamp for event in events}
    known: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for position, made in answers:
        if position in arrived:
            known[position.partition].append((made, arrived[position]))
    for times in known.values():
        made, came = np.array(sorted(times)).T
        oldest_waiting = np.minimum.accumulate(came[::-1])[::-1]
        before = np.concatenate((oldest_waiting[:1], made[:-1]))
        begins = np.maximum(before, oldest_waiting)
        yield from map(_Wait, begins.tolist(), made.tolist())
