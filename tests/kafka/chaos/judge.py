"""What the topics hold after a scenario, held against what was put in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chaos.crew import Crew
from chaos.flow import Flow
from chaos.outages import outages
from chaos.records import CustomersFile
from chaos.watch import Event, Position


class Sent(NamedTuple):
    """What was put in.

    Attributes:
        file: Each row of it once.
        streamed: How many events a streaming producer says it has sent.
        broken: Where broken records were put between them.
    """

    file: CustomersFile | None = None
    streamed: int = 0
    broken: Sequence[Position] = ()


@dataclass(frozen=True)
class Outcome:
    """What a scenario did, and what was found afterwards.

    Attributes:
        events: Records in the input topic.
        kills: Processes and brokers that were killed, stopped, paused or fenced.
        lost: Events without an outcome, and what was sent but is not there.
        duplicated: Events with more than one outcome, and what was sent once but is there twice.
        orphaned: Outcomes of events that do not exist.
        in_flight: Events that still wait, which none should at the end.
        dead_letters_expected: Broken records that were sent.
        dead_letters_found: Dead letters.
        outages: After each fault, see `outages.outages`.
        problems: What else should not have happened.
        remark: What was seen that is no problem.
    """

    events: int
    kills: int
    lost: int
    duplicated: int
    orphaned: int
    in_flight: int
    dead_letters_expected: int
    dead_letters_found: int
    outages: list[float]
    problems: list[str] = field(default_factory=list)
    remark: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether every event has exactly one outcome, and nothing else went wrong."""
        return not (
            self.lost + self.duplicated + self.orphaned + self.in_flight
            or self.dead_letters_found != self.dead_letters_expected
            or self.problems
        )


def judge(flow: Flow, crew: Crew, kills: int, sent: Sent, remark: str = "") -> Outcome:
    """Count, with the product's own audit and without it."""
    verdict, events, rejected = flow.audit(), flow.events(), flow.rejected()
    missing, repeated = _rows_missing_and_repeated(events, sent)
    broken = [*sent.broken, *_positions_of_broken_rows(events, sent.file)]
    problems = [*crew.problems, *_out_of_order(events, sent.file)]
    if Counter(rejected) != Counter(broken):
        problems.append("the dead letters are not those of the broken records, each once")
    return Outcome(
        events=verdict.events,
        kills=kills,
        lost=verdict.lost + missing,
        duplicated=verdict.duplicated + repeated,
        orphaned=verdict.orphaned,
        in_flight=verdict.in_flight,
        dead_letters_expected=len(broken),
        dead_letters_found=len(rejected),
        outages=outages(events, flow.answers(), crew.faults),
        problems=problems,
        remark=remark,
    )


def _rows_missing_and_repeated(events: Sequence[Event], sent: Sent) -> tuple[int, int]:
    """How many of the events that were sent are not there, and how many are there too often."""
    rows = set(sent.file.keys) if sent.file else set()
    there = [event.key for event in events if event.key in rows]
    others = sent.streamed + len(sent.broken) - (len(events) - len(there))
    missing, repeated = len(rows) - len(set(there)), len(there) - len(set(there))
    return missing + max(others, 0), repeated + max(-others, 0)


def _positions_of_broken_rows(
    events: Sequence[Event], file: CustomersFile | None
) -> list[Position]:
    return [event.position for event in events if file and event.key in file.broken]


def _out_of_order(events: Sequence[Event], file: CustomersFile | None) -> list[str]:
    """Partitions whose rows do not stand in the order of the file."""
    row_of = {key: row for row, key in enumerate(file.keys)} if file else {}
    rows: defaultdict[int, list[int]] = defaultdict(list)
    for event in events:
        if event.key in row_of:
            rows[event.position.partition].append(row_of[event.key])
    return [f"partition {p} is not in the file's order" for p in rows if rows[p] != sorted(rows[p])]
