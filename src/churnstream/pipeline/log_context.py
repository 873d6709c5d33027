"""Which records a line of the log is about."""

from contextvars import Context, copy_context

from structlog.contextvars import bind_contextvars

from churnstream.kafka.polled_records import PolledRecords


def context_of(polled: PolledRecords) -> Context:
    """Where to work on a batch: every line that is logged there names the offsets by partition.

    Made once for a batch, and the same for the threads that share the work on it.
    """
    context = copy_context()
    if polled.records:
        context.run(bind_contextvars, offsets=_spans(polled))
    return context


def _spans(polled: PolledRecords) -> dict[int, str]:
    """First and last offset of each partition."""
    lasts = polled.next_offsets
    return {p: f"{first}-{lasts[p] - 1}" for p, first in polled.first_offsets.items()}
