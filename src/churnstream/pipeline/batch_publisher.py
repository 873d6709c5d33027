"""Publishing one batch while the next one is read and scored."""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import Context
from typing import NamedTuple

from churnstream.errors import BrokerError
from churnstream.pipeline.delivery import Delivery
from churnstream.pipeline.flow_topics import FlowTopics
from churnstream.pipeline.offset_window import Progress
from churnstream.pipeline.scoring import Batch


class PublishTimes(NamedTuple):
    """When publishing began and ended, in seconds since 1970."""

    began: float
    ended: float


class BatchInFlight:
    """A batch whose outcomes are on their way to the broker.

    Args:
        context: Holds what its log lines carry.
        offsets: To commit with it, by partition; not empty.
        before: How far reading had come before it.
        done: Ends when `Delivery.publish` has.

    Attributes:
        is_kept: Whether its offsets are stored already.
    """

    def __init__(
        self,
        context: Context,
        batch: Batch,
        offsets: Mapping[int, int],
        before: Progress,
        done: Future[PublishTimes],
        delivery: Delivery,
    ) -> None:
        self.context, self.batch, self.offsets, self.before = context, batch, offsets, before
        self._done, self._delivery = done, delivery
        self.is_kept = False

    def wait(self, timeout: float | None = None) -> None:
        """Wait for publishing to end, well or badly.

        Args:
            timeout: Seconds; None to wait as long as it takes.
        """
        wait([self._done], timeout)

    def commit_in_rebalance(self) -> None:
        """Store its offsets while the partitions are ours still, if it is published."""
        if self._done.done() and self._done.exception() is None:
            with suppress(BrokerError):
                self._delivery.keep_offsets(self.offsets, in_rebalance=True)
                self.is_kept = True

    def commit(self) -> PublishTimes:
        """See it published and its offsets stored.

        Raises:
            AbortableError: It does not count; roll it back and read again.
            BrokerError: The process must end.
        """
        times = self._done.result()
        if not self.is_kept:
            self._delivery.keep_offsets(self.offsets, in_rebalance=False)
        return times

    def roll_back(self) -> None:
        """Undo what was published, as far as that is possible."""
        self._delivery.roll_back()


class BatchPublisher:
    """Hands batches to a thread that publishes one after the other.

    Args:
        topics: Looked at before outcomes are published.
    """

    def __init__(self, delivery: Delivery, topics: FlowTopics) -> None:
        self._delivery, self._topics = delivery, topics
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publish")

    def submit(
        self,
        context: Context,
        batch: Batch,
        offsets: Mapping[int, int],
        membership: object,
        before: Progress,
    ) -> BatchInFlight:
        """Begin to publish a batch; see `Delivery.publish` and `BatchInFlight`."""
        done = self._thread.submit(context.run, self._publish, batch, offsets, membership)
        return BatchInFlight(context, batch, offsets, before, done, self._delivery)

    def _publish(
        self, batch: Batch, offsets: Mapping[int, int], membership: object
    ) -> PublishTimes:
        began = time.time()
        self._topics.before_publishing()
        self._delivery.publish(batch.predictions, batch.dead_letters, offsets, membership)
        return PublishTimes(began, time.time())

    def close(self) -> None:
        """Wait for what is on its way, and end the thread."""
        self._thread.shutdown()
