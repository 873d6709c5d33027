"""Records in, predictions and dead letters out: no Kafka call, no clock, no side effect."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.messages import (
    CustomerEvent,
    Prediction,
    Rejection,
    decode_event,
    encode,
)
from churnstream.streaming.dead_letters import describe, to_record
from churnstream.streaming.kafka.client import Message
from churnstream.streaming.kafka.writer import FullRecord, Record


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

    def check(self, events: Sequence[CustomerEvent]) -> Mapping[int, Rejection]:
        """By index, the events that the model cannot score."""
        ...

    def score(self, events: Sequence[CustomerEvent]) -> NDArray[np.float64]:
        """Churn probabilities, shape (n,), in the order of the events."""
        ...


class Batch(msgspec.Struct, frozen=True):
    """The outcome of a batch of records: each is in exactly one of `events` and `rejected`.

    Attributes:
        events: The scored ones, with their sources and probabilities in the same order.
        predictions: One record for each of `events`.
        rejected: The refused ones, with the reasons in the same order.
        dead_letters: One record for each of `rejected`.
        offsets: Last offset + 1 of each partition, refused records included.
        scored_at: The processing time that its predictions carry.
    """

    events: list[CustomerEvent]
    sources: list[Message]
    probabilities: NDArray[np.float64]
    predictions: list[Record]
    rejected: list[Message]
    rejections: list[Rejection]
    dead_letters: list[FullRecord]
    offsets: dict[int, int]
    scored_at: datetime

    def __len__(self) -> int:
        return len(self.events) + len(self.rejected)

    @staticmethod
    def places(records: Sequence[Message]) -> tuple[list[int], list[int]]:
        """Partitions and offsets of records, in their order."""
        return (
            [r.partition() for r in records],  # type: ignore[misc]
            [r.offset() for r in records],  # type: ignore[misc]
        )


def score_batch(
    records: Sequence[Message],
    scorer: Scorer,
    *,
    group: str,
    now: datetime,
    most_letter_bytes: int,
) -> Batch:
    """Decode, check and score.

    Args:
        records: In offset order within each partition.
        scorer: The model.
        group: The consumer group, for the dead letters' headers.
        now: The processing time, UTC.
        most_letter_bytes: The largest record that the dead-letter topic takes.
    """
    events, sources, rejected = _decode(records, scorer)
    probabilities = scorer.score(events)
    return Batch(
        events=events,
        sources=sources,
        probabilities=probabilities,
        predictions=_predictions(events, sources, probabilities, scorer, now),
        rejected=[record for record, _ in rejected],
        rejections=[rejection for _, rejection in rejected],
        dead_letters=[
            to_record(
                record,
                describe(record, why, group=group, model_version=scorer.version, now=now),
                most_letter_bytes,
            )
            for record, why in rejected
        ],
        offsets={r.partition(): r.offset() + 1 for r in records},  # type: ignore[operator,misc]
        scored_at=now,
    )


def _decode(
    records: Sequence[Message], scorer: Scorer
) -> tuple[list[CustomerEvent], list[Message], list[tuple[Message, Rejection]]]:
    """Split records into events with their sources, and refused records with their reasons."""
    decoded = [decode_event(record.value(), record.key()) for record in records]
    rejected = [(r, d) for r, d in zip(records, decoded, strict=True) if isinstance(d, Rejection)]
    sources = [r for r, d in zip(records, decoded, strict=True) if not isinstance(d, Rejection)]
    events = [d for d in decoded if not isinstance(d, Rejection)]
    if unknown := scorer.check(events):
        rejected += [(sources[i], why) for i, why in unknown.items()]
        sources = [r for i, r in enumerate(sources) if i not in unknown]
        events = [e for i, e in enumerate(events) if i not in unknown]
    return events, sources, rejected


def _predictions(
    events: Sequence[CustomerEvent],
    sources: Sequence[Message],
    probabilities: NDArray[np.float64],
    scorer: Scorer,
    now: datetime,
) -> list[Record]:
    version = scorer.version
    says_yes = (probabilities >= scorer.threshold).tolist()
    return [
        {
            "key": source.key(),
            "value": encode(
                Prediction(
                    event.customerID,
                    probability,
                    "Yes" if yes else "No",
                    event.event_ts,
                    now,
                    version,
                    source.partition(),  # type: ignore[arg-type]  # set on what was consumed
                    source.offset(),  # type: ignore[arg-type]
                )
            ),
        }
        for event, source, probability, yes in zip(
            events, sources, probabilities.tolist(), says_yes, strict=True
        )
    ]
