"""How far processes have come, as scenarios wait for it."""

from __future__ import annotations

import re

from chaos.crew import Crew
from chaos.flow import Flow
from chaos.processes import Process
from chaos.watch import until


def wait_at_work(flow: Flow, producer: Process) -> None:
    """Wait until a producer has committed something, or has ended."""
    before = flow.watch.length(flow.input)

    def at_work() -> bool:
        return producer.code is not None or flow.watch.length(flow.input) > before

    until(at_work, 60, f"{producer.name} sends")


def wait_flowing(flow: Flow) -> None:
    """Wait until events of every partition are scored again: their outages are over."""
    until(lambda: bool(flow.watch.ends(flow.input)), 60, "a broker answers")
    there = flow.watch.ends(flow.input)

    def scored() -> bool:
        reached = flow.watch.committed(flow.group, flow.input)
        return all(reached[p] >= end for p, end in there.items())

    until(scored, 90, "what was there is scored")


def sent(producer: Process) -> int:
    """How many events a streaming producer says it has sent."""
    said = re.match(r"([\d,]+) events sent", producer.output)
    return int(said[1].replace(",", "")) if said else 0


def expect_success(crew: Crew, *producers: Process) -> None:
    """Note it as a problem if a producer has failed."""
    for producer in producers:
        if producer.code != 0:
            crew.problems.append(f"{producer.name}: {producer.code}: {producer.last_words}")
