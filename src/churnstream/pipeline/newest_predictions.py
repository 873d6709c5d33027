"""Of each customer the newest prediction in a topic."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.prediction_codec import AsJson, as_it_is, prediction_reader
from churnstream.escaping import printable
from churnstream.kafka.client import Message
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.schema import Schema
from churnstream.schema.segments import OTHER

_FIRST = 4096
_MAX_VERSIONS = 1000
_MAX_VERSION_LENGTH = 100

_KEPT = np.dtype(
    [
        ("risk", "f8"),
        ("leaving", "?"),
        ("event_at", "f8"),  # seconds since 1970, as the next one
        ("processed_at", "f8"),
        ("partition", "i4"),  # where the prediction lies
        ("source_partition", "i4"),
        ("source_offset", "i8"),
        ("version", "i4"),
    ]
)


class NewestColumns(NamedTuple):
    """Customers by their newest predictions, all of one length.

    Attributes:
        kept: Of `_KEPT`.
        reasons: In words.
    """

    names: list[str]
    kept: NDArray[Any]
    reasons: list[str]
    versions: list[str]


class NewestPredictions:
    """Takes the predictions of a topic, and keeps of each customer the newest.

    Memory: some 200 bytes a customer, its ID of 13 characters included, and 120 more for reasons.

    Newest is what was processed last: within a partition what comes later there. Only where a
    customer is found in several, as when partitions were added, do the times of processing decide.
    A record without a value, by which somebody has a customer removed from a compacted topic,
    removes the customer here as well.

    Args:
        in_words: Makes a text of a prediction's reasons, of bounded length.
        as_json: For predictions whose schema stands in a registry.

    Attributes:
        foreign: Records that are no predictions.
    """

    def __init__(
        self,
        schema: Schema,
        in_words: Callable[[Sequence[ReasonGiven]], str],
        as_json: AsJson = as_it_is,
    ) -> None:
        self.foreign = 0
        self._read, self._id_of = prediction_reader(schema, as_json), schema.id_of
        self._in_words = in_words
        self._rows: dict[str, int] = {}
        self._kept, self._count = np.zeros(_FIRST, _KEPT), 0
        self._reasons: list[str] = []
        self._versions = {OTHER: 0}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, records: Sequence[Message]) -> None:
        """Take note of records, in the order of their offsets within each partition."""
        for record in records:
            value = record.value()
            made = self._read(value)
            if made is not None:
                self._note(made, record.partition() or 0)
            elif value is None and (key := record.key()):
                self._rows.pop(key.decode("utf-8", "surrogateescape"), None)
            else:
                self.foreign += 1

    def _note(self, made: Any, partition: int) -> None:  # noqa: ANN401  # of `prediction_type`
        name, processed_at = self._id_of(made), made.processed_ts.timestamp()
        row = self._rows.get(name, -1)
        if row >= 0:
            known = self._kept[row]
            if known["partition"] != partition and known["processed_at"] > processed_at:
                return
        else:
            row = self._rows[name] = self._new_row()
        self._kept[row] = (
            made.churn_probability,
            made.prediction == "Yes",
            made.event_ts.timestamp(),
            processed_at,
            partition,
            made.source_partition,
            made.source_offset,
            self._version(made.model_version),
        )
        self._reasons[row] = self._in_words(made.reasons or ())

    def _new_row(self) -> int:
        if self._count == len(self._kept):
            self._kept = np.concatenate([self._kept, np.zeros_like(self._kept)])
        self._reasons.append("")
        self._count += 1
        return self._count - 1

    def _version(self, text: str) -> int:
        text = printable(text, _MAX_VERSION_LENGTH)
        if text not in self._versions and len(self._versions) > _MAX_VERSIONS:
            text = OTHER
        return self._versions.setdefault(text, len(self._versions))

    def chosen(
        self, threshold: float | None = None, since: datetime | None = None
    ) -> NewestColumns:
        """The customers at risk.

        Args:
            threshold: The probability from which they are; None leaves it to the predictions.
            since: Only those whose event is not older; None for any age.
        """
        rows = np.fromiter(self._rows.values(), np.intp, len(self._rows))
        kept = self._kept[rows]
        wanted = kept["leaving"] if threshold is None else kept["risk"] >= threshold
        if since is not None:
            wanted = wanted & (kept["event_at"] >= since.timestamp())
        names, versions = list(self._rows), list(self._versions)
        at = np.flatnonzero(wanted).tolist()
        return NewestColumns(
            [names[i] for i in at],
            kept[at],
            [self._reasons[row] for row in rows[at].tolist()],
            [versions[number] for number in kept["version"][at].tolist()],
        )
