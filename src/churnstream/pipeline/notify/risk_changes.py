"""Who is predicted to leave, and the predictions that change it."""

from collections.abc import Collection
from typing import Any, NamedTuple

import structlog

from churnstream.codecs.prediction_codec import (
    AsJson,
    as_it_is,
    is_in_framing,
    prediction_reader,
)
from churnstream.kafka.client import contents_of
from churnstream.kafka.polled_records import PolledRecords
from churnstream.records.notification import Notification
from churnstream.schema.schema import Schema

log = structlog.get_logger(__name__)

# As `encode_prediction` writes it. It cannot stand within a text, where quotes are escaped.
_SAYS_YES = b'"prediction":"Yes"'
_MAX_BYTES = 100_000  # of a prediction; ours have a thousand, and what is kept is a copy of it
SENT_AGAIN = -1
"""The offset of a change that comes from no record, but from an earlier notification."""


class RiskChange(NamedTuple):
    """A prediction by which a customer becomes likely to leave, or no longer is.

    Attributes:
        partition: Of the predictions' topic.
        offset: In it, or `SENT_AGAIN`.
        key: The customer's ID in UTF-8.
        notification: To send; None for a customer who is no longer likely to leave.
    """

    partition: int
    offset: int
    key: bytes
    notification: Notification | None


class AtRisk:
    """The customers whose newest prediction says "Yes", by partition.

    Memory: about 100 bytes for each of them with an ID of ten characters, nothing for the others.

    Args:
        schema: Of the predictions.
        topic: The input topic, which the predictions speak of.
        as_json: For predictions whose schema stands in a registry.

    Attributes:
        passed_over: Records that are no predictions, or of another customer than their key says.
    """

    def __init__(self, schema: Schema, topic: str, as_json: AsJson = as_it_is) -> None:
        self._read, self._topic = prediction_reader(schema, as_json), topic
        self._id_of = schema.id_of
        self._keys: dict[int, set[bytes | None]] = {}
        self.passed_over = 0

    @property
    def partitions(self) -> Collection[int]:
        """Those that are known."""
        return self._keys.keys()

    def learn(self, partition: int, keys: Collection[bytes]) -> None:
        """Take note of a partition, and of those who are at risk there already."""
        self._keys[partition] = set(keys)

    def forget(self, partition: int) -> None:
        """Forget a partition."""
        self._keys.pop(partition, None)

    def changes(self, polled: PolledRecords) -> list[RiskChange]:
        """What records change, in their order; all of them of known partitions.

        Most records change nothing, which can be seen of JSON without decoding it.
        """
        values, keys = contents_of(polled.records)
        found: list[RiskChange] = []
        for partition, offset, key, value in zip(
            polled.partitions, polled.offsets, keys, values, strict=True
        ):
            if (key in self._keys[partition]) is self._says_yes(value):
                continue
            if key is not None and (change := self._change(partition, offset, key, value)):
                found.append(change)
        return found

    def _says_yes(self, value: bytes | None) -> bool:
        if not is_in_framing(value):
            return _SAYS_YES in (value or b"")
        made = self._read(value)
        return made is not None and made.prediction == "Yes"

    def _change(
        self, partition: int, offset: int, key: bytes, value: bytes | None
    ) -> RiskChange | None:
        """What a record changes; anybody may have written it."""
        made = None if len(key) + len(value or b"") > _MAX_BYTES else self._read(value)
        if made is None or self._id_of(made).encode("utf-8", "surrogatepass") != key:
            self.passed_over += 1
            log.debug("no_prediction", partition=partition, offset=offset)
            return None
        keys, says_yes = self._keys[partition], made.prediction == "Yes"
        if says_yes is (key in keys):
            return None
        if says_yes:
            keys.add(key)
            return RiskChange(partition, offset, key, self._notification(made))
        keys.remove(key)
        return RiskChange(partition, offset, key, None)

    def _notification(self, made: Any) -> Notification:  # noqa: ANN401  # of `prediction_type`
        stamp = round(made.processed_ts.timestamp() * 1000)
        return Notification(
            id=self._id_of(made),
            churn_probability=made.churn_probability,
            prediction="Yes",
            reasons=[reason.text for reason in made.reasons or ()],
            event_ts=made.event_ts,
            processed_ts=made.processed_ts,
            model_version=made.model_version,
            # With the time: a topic that is created again has the same offsets once more.
            notification_id=f"{self._topic}:{made.source_partition}:{made.source_offset}:{stamp}",
        )
