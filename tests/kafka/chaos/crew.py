"""The consumers of a scenario, watched over as a supervisor would."""

from __future__ import annotations

import signal
import time

from chaos.flow import Flow
from chaos.processes import Process
from chaos.watch import until

_STOPS_WITHIN = 5.0


class Crew:
    """Consumers of one group by their instance.

    Args:
        flow: Where they work.
        arguments: Of each of them.

    Attributes:
        problems: What no consumer should have done: ended unasked, or slowly, or with a fault.
        faults: See `outages.outages`.
    """

    def __init__(self, flow: Flow, *arguments: str) -> None:
        self.problems: list[str] = []
        self.faults: list[float] = []
        self._flow, self._arguments = flow, arguments
        self._members: dict[int, Process] = {}
        self._former: list[Process] = []

    def start(self, *instances: int) -> None:
        """Start consumers."""
        for instance in instances:
            self._members[instance] = self._flow.consume(instance, *self._arguments)

    def start_and_wait(self, *instances: int) -> None:
        """Start consumers, and wait until every member of the group has partitions."""
        self.start(*instances)
        self._flow.wait_owned(len(self._members))

    def note_fault(self) -> None:
        """From now on events wait for what was just done to their flow."""
        self.faults.append(time.time())

    def kill(self, instance: int) -> bool:
        """Kill -9 one; whether it still ran."""
        process = self._members.pop(instance)
        self._former.append(process)
        self.note_fault()
        return process.kill()

    def stop(self, *instances: int) -> None:
        """Ask consumers to end, all at once, and wait for it."""
        leaving = [self._members.pop(instance) for instance in instances]
        self._former += leaving
        began = time.monotonic()
        for process in leaving:
            process.send(signal.SIGTERM)
        for process in leaving:
            process.wait(20)
            seconds = time.monotonic() - began
            if process.code != 0 or seconds > _STOPS_WITHIN:
                self.problems.append(
                    f"{process.name} ended {seconds:.1f} s after SIGTERM "
                    f"with exit code {process.code}: {process.last_words}"
                )

    def send(self, instance: int, number: signal.Signals) -> None:
        """Send one of them a signal."""
        self._members[instance].send(number)

    def revive(self) -> None:
        """Start again what ended without being asked to, and note it as a problem."""
        for instance, process in list(self._members.items()):
            if process.code is not None:
                self.problems.append(
                    f"{process.name} ended by itself, exit code {process.code}: "
                    f"{process.last_words}"
                )
                self._former.append(process)
                self.start(instance)

    def finish(self, seconds: float = 120) -> None:
        """Wait until every event is scored and every member is back at work, then stop them all."""

        def scored() -> bool:
            self.revive()
            return self._flow.is_scored

        until(scored, seconds, "every event is scored")
        self._flow.wait_owned(len(self._members))
        self.stop(*self._members)

    def said(self, event: str) -> int:
        """How many log lines of theirs name an event."""
        processes = [*self._former, *self._members.values()]
        return sum(event in line for process in processes for line in process.log.splitlines())
