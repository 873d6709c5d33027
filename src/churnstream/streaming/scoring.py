"""Records in, predictions and dead letters out: no Kafka call, no clock, no side effect."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.decoding import EventDecoder
from churnstream.messages import CustomerEvent, Prediction, ReasonGiven, Rejection, encode
from churnstream.streaming.dead_letters import describe, to_record
from churnstream.streaming.kafka.client import Message
from churnstream.streaming.kafka.reader import Polled
from churnstream.streaming.kafka.writer import FullRecord, Record

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
    def decode(self) -> EventDecoder:
        """Turns values and keys of records into events that it can score, or refuses them."""
        ...

    def score(self, events: Sequence[CustomerEvent]) -> NDArray[np.float64]:
        """Churn probabilities, shape (n,), in the order of the events."""
        ...

    def reasons(
        self,
        events: Sequence[CustomerEvent],
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
        rejected: The refused ones, with the reasons in the same order.
        dead_letters: One record for each of `rejected`.
        places: Last offset + 1 of each partition, refused records included.
        scored_at: The processing time that its predictions carry.
        scorer: The model that scored all of them.
    """

    events: list[CustomerEvent]
    partitions: list[int]
    offsets: list[int]
    probabilities: NDArray[np.float64]
    predictions: list[Record]
    rejected: list[Message]
    rejections: list[Rejection]
    dead_letters: list[FullRecord]
    places: dict[int, int]
    scored_at: datetime
    scorer: Scorer

    def __len__(self) -> int:
        return len(self.events) + len(self.rejected)


def score_batch(
    polled: Polled,
    scorer: Scorer,
    *,
    group: str,
    now: datetime,
    most_letter_bytes: int,
    explained: Explained = "top",
) -> Batch:
    """Decode, check and score.

    Args:
        polled: The records, and their places.
        scorer: The model.
        group: The consumer group, for the dead letters' headers.
        now: The processing time, UTC.
        most_letter_bytes: The largest record that the dead-letter topic takes.
        explained: Which predictions get reasons.
    """
    good, events, rejected, rejections = _decode(polled, scorer)
    keys = [record.key() for record in good.records]
    probabilities = scorer.score(events)
    version = scorer.version
    return Batch(
        events=events,
        partitions=good.partitions,
        offsets=good.offsets,
        probabilities=probabilities,
        predictions=[
            {
                "key": key,
                "value": encode(
                    Prediction(
                        event.customerID,
                        probability,
                        "Yes" if says_yes else "No",
                        event.event_ts,
                        now,
                        version,
                        partition,
                        offset,
                        why,
                    )
                ),
            }
            for key, event, probability, says_yes, partition, offset, why in zip(
                keys,
                events,
                probabilities.tolist(),
                (probabilities >= scorer.threshold).tolist(),
                good.partitions,
                good.offsets,
                scorer.reasons(events, probabilities, explained),
                strict=True,
            )
        ],
        rejected=rejected,
        rejections=rejections,
        dead_letters=[
            to_record(
                record,
                describe(record, why, group=group, model_version=version, now=now),
                most_letter_bytes,
            )
            for record, why in zip(rejected, rejections, strict=True)
        ],
        places=polled.places,
        scored_at=now,
        scorer=scorer,
    )


def _decode(
    polled: Polled, scorer: Scorer
) -> tuple[Polled, list[CustomerEvent], list[Message], list[Rejection]]:
    """Good records with their events, and refused ones with the reasons."""
    values = [record.value() for record in polled.records]
    decoded: list[Any] = scorer.decode.batch(values, [record.key() for record in polled.records])
    bad = [i for i, outcome in enumerate(decoded) if type(outcome) is Rejection]
    if not bad:
        return polled, decoded, [], []
    good = sorted(set(range(len(decoded))).difference(bad))
    return (
        Polled.of([polled.records[i] for i in good], polled.ends),
        [decoded[i] for i in good],
        [polled.records[i] for i in bad],
        [decoded[i] for i in bad],
    )
