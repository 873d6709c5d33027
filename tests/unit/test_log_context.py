"""What each line of the log about a batch carries, whatever the batch holds."""

from typing import Any

import structlog

from builders import message
from churnstream.kafka.polled_records import PolledRecords
from churnstream.pipeline.log_context import context_of


class Walked(list[int]):
    """Partitions of records; counts how often they are searched."""

    searched = 0

    def index(self, *_: Any) -> int:
        """Find the first record of a partition, one record after the other."""
        Walked.searched += 1
        return super().index(*_)


def test_a_batch_of_many_partitions_is_not_searched_for_each() -> None:
    """That took more time than scoring where 5,000 events came from 200 partitions."""
    records = [message(b"", partition=p, offset=o) for p in range(200) for o in (7, 8)]
    polled = PolledRecords.of(records, {})
    polled = polled._replace(partitions=Walked(polled.partitions))

    bound = context_of(polled).run(structlog.contextvars.get_contextvars)

    assert bound["offsets"] == dict.fromkeys(range(200), "7-8")
    assert Walked.searched == 0
