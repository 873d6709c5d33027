"""A consumer of a group that has nothing to read."""

import structlog

from churnstream.deadline import Deadline

log = structlog.get_logger(__name__)

_AFTER = 30.0  # seconds: joining a group takes less, but for a group that misses a member


class Standby:
    """Says once that this consumer has no partitions; again after it had some."""

    def __init__(self) -> None:
        self._deadline = Deadline(_AFTER)
        self._said = False

    def note(self, *, assigned: bool, cut_off: bool = False) -> bool:
        """Take note of whether there are partitions to read now; whether it was said just now.

        Args:
            cut_off: Whether no broker can be reached.
        """
        if assigned:
            self._deadline, self._said = Deadline(_AFTER), False
        elif not self._said and self._deadline.passed:
            self._said = True
            log.warning(
                "no_partitions",
                for_s=round(_AFTER),
                because="no broker can be reached"
                if cut_off
                else "others have them all, or the group waits for a member that is gone",
            )
            return True
        return False
