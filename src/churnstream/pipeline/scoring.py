"""Records in, predictions and dead letters out: no Kafka call, no clock, no side effect."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import compress
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.prediction_codec import encode_prediction
from churnstream.codecs.registry_values import RegistryValues
from churnstream.errors import ModelError
from churnstream.kafka.client import Message
from churnstream.kafka.polled_records import PolledRecords
from churnstream.kafka.producer_client import MAX_BYTES
from churnstream.kafka.writer import FullRecord, Record
from churnstream.pipeline.dead_letter_headers import (
    PER_BATCH,
    dead_letter_record,
    describe_rejection,
)
from churnstream.pipeline.decoded_batch import DecodedBatch, decode_batch
from churnstream.pipeline.prediction_values import Predicted, prediction_values
from churnstream.records.passed_over import PassedOver
from churnstream.records.prediction import ReasonGiven
from churnstream.records.rejection import Rejection, not_scorable, too_large
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

Explained = Literal["top", "all", "none"]


class Scorer(Protocol):
    """What the consumer needs of a model."""

    @property
    def version(self) -> str:
        """Goes into every prediction."""
        ...

    @property
    def threshold(self) -> float:
        """The probability from which the prediction is "Yes"."""
        ...

    @property
    def schema(self) -> Schema:
        """Of the events that it scores."""
        ...

    @property
    def decode(self) -> EventDecoder:
        """Turns values and keys of records into events that it can score, or rejects them."""
        ...

    def score(self, events: Sequence[Event]) -> NDArray[np.float64]:
        """Churn probabilities, shape (n,), in the order of the events."""
        ...

    def reasons(
        self,
        events: Sequence[Event],
        probabilities: NDArray[np.float64],
        explained: Explained,
    ) -> list[list[ReasonGiven] | None]:
        """For each event why it got its probability; None where that is not wanted or known."""
        ...


class Batch(msgspec.Struct, frozen=True):
    """The outcome of a batch of records: each is in exactly one of `events` and `rejected`.

    Attributes:
        events: The scored ones; `partitions`, `offsets` and `probabilities` are theirs, in the
            same order.
        predictions: One record for each of `events`.
        rejected: The others, with the reasons in the same order.
        dead_letters: One record for each of `rejected`.
        next_offsets: Last offset + 1 of each partition, rejected records included.
        scored_at: The processing time that its predictions carry.
        scorer: The model that scored all of them.
    """

    events: Sequence[Event]
    partitions: list[int]
    offsets: list[int]
    probabilities: NDArray[np.float64]
    predictions: list[Record]
    rejected: list[Message]
    rejections: list[Rejection]
    passed_over: list[PassedOver]
    dead_letters: list[FullRecord]
    next_offsets: dict[int, int]
    scored_at: datetime
    scorer: Scorer

    def __len__(self) -> int:
        return len(self.events) + len(self.rejected) + len(self.passed_over)


class ModelInUse(Protocol):
    """Where the model to score with comes from; it may be another one for the next batch."""

    def current(self) -> Scorer:
        """The model by which all of a batch is scored."""
        ...


class BatchScorer:
    """Decodes, checks and scores: no Kafka call, no clock, no side effect.

    Args:
        models: Asked before each batch.
        group: The consumer group, for the dead letters' headers.
        max_dead_letter_bytes: The largest record that the dead-letter topic takes.
        max_prediction_bytes: The largest one that the topics of predictions take; what would be
            larger becomes a dead letter.
        explained: Which predictions get reasons.
        opened: Finds what values hold that are no JSON.
        encode: Makes a record's value of a prediction.
    """

    def __init__(
        self,
        models: ModelInUse,
        *,
        group: str,
        max_dead_letter_bytes: int,
        max_prediction_bytes: int = MAX_BYTES,
        explained: Explained = "top",
        opened: RegistryValues | None = None,
        encode: Callable[[Any], bytes] = encode_prediction,
    ) -> None:
        self._models, self._group, self._explained = models, group, explained
        self._opened, self._encode = opened, encode
        self._max_dead_letter_bytes = max_dead_letter_bytes
        self._max_prediction_bytes = max_prediction_bytes

    def score(self, polled: PolledRecords, now: datetime) -> Batch:
        """Give each record its outcome.

        Args:
            now: The processing time, UTC.

        Raises:
            ModelError: The model gave more or fewer probabilities than there are events, as one
                does that leaves out or resamples rows.
        """
        model = self._models.current()
        decoded, probabilities = _score(decode_batch(polled, model.decode, self._opened), model)
        reasons = model.reasons(decoded.events, probabilities, self._explained)
        made = Predicted(model, decoded.events, decoded.good, probabilities, reasons)
        values = prediction_values(made, now, self._encode)
        decoded, probabilities, values = self._that_fit(decoded, probabilities, values, model)
        return Batch(
            events=decoded.events,
            partitions=decoded.good.partitions,
            offsets=decoded.good.offsets,
            probabilities=probabilities,
            predictions=[
                {"key": key, "value": value}
                for key, value in zip(decoded.keys, values, strict=True)
            ],
            rejected=decoded.rejected,
            rejections=decoded.rejections,
            passed_over=decoded.passed_over,
            dead_letters=list(
                map(partial(self._dead_letter, model, now), decoded.rejected, decoded.rejections)
            ),
            next_offsets=polled.next_offsets,
            scored_at=now,
            scorer=model,
        )

    def _that_fit(
        self,
        decoded: DecodedBatch,
        probabilities: NDArray[np.float64],
        values: list[bytes],
        model: Scorer,
    ) -> tuple[DecodedBatch, NDArray[np.float64], list[bytes]]:
        """The good records without those whose prediction the output topic would not take."""
        limit = self._max_prediction_bytes
        # A key is a part of its value, so none of these is larger than twice the largest value.
        if 2 * max(map(len, values), default=0) + PER_BATCH <= limit:
            return decoded, probabilities, values
        pairs = zip(decoded.keys, values, strict=True)
        sizes = [PER_BATCH + len(key or b"") + len(value) for key, value in pairs]
        fits = np.array(sizes) <= limit
        fitting = decoded.without(fits, lambda i: too_large(sizes[i], limit, model.schema.id))
        return fitting, probabilities[fits], list(compress(values, fits))

    def _dead_letter(
        self, model: Scorer, now: datetime, record: Message, why: Rejection
    ) -> FullRecord:
        said = describe_rejection(
            record, why, group=self._group, model_version=model.version, now=now
        )
        return dead_letter_record(record, said, self._max_dead_letter_bytes)


def _score(decoded: DecodedBatch, scorer: Scorer) -> tuple[DecodedBatch, NDArray[np.float64]]:
    """Probabilities of the good records, and those that have one."""
    probabilities = scorer.score(decoded.events)
    if len(probabilities) != len(decoded.events):  # they would go to other customers
        raise ModelError(
            f"model {scorer.version} gave {len(probabilities)} probabilities for "
            f"{len(decoded.events)} events; it must neither drop nor add rows"
        )
    is_scored = (probabilities >= 0) & (probabilities <= 1)  # NaN is neither
    if is_scored.all():
        return decoded, probabilities
    scored = decoded.without(is_scored, lambda i: not_scorable(float(probabilities[i])))
    return scored, probabilities[is_scored]
