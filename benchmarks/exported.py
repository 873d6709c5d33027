"""The model as every peer can read it, and whether a peer computed what it says.

    {"version": …, "threshold": …, "base": …, "terms": {field: term}}

    a table  {"type": "table", "terms": {text: log-odds}, "other": …, "missing": …}
    a curve  {"type": "curve", "knots": […], "coefficients": [[…], …], "missing": …}

as `churnstream.model.terms` describes them.
"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, TopicPartition

from benchmarks.processes import Report, Task
from churnstream.codecs.event_encoder import EncodedEvents
from churnstream.model.manifest import load
from churnstream.model.terms import Terms
from churnstream.records.rejection import Rejection

_CLOSE = 1e-9
_LOOKED_AT = 15_000  # records of each partition: every customer comes several times
_WAIT = 10.0

Expected = dict[str, tuple[float, str]]
"""By customer, the probability of churn and the prediction."""


class Prediction(msgspec.Struct):
    """A prediction: every field that a peer has to write."""

    customerID: str  # noqa: N815  # as it stands in the record
    churn_probability: float
    prediction: str
    event_ts: datetime
    processed_ts: datetime
    model_version: str
    source_partition: int
    source_offset: int

    @property
    def key(self) -> bytes:
        """Of its record."""
        return self.customerID.encode()

    def is_right(self, probability: float, prediction: str) -> bool:
        """Whether it says so, too."""
        is_close = abs(self.churn_probability - probability) <= _CLOSE
        return is_close and self.prediction == prediction


def export(folder: Path, path: Path) -> str:
    """Write the sum of terms that is saved in a folder to a file; the file's path."""
    model = load(folder)
    assert isinstance(model.formula, Terms)
    assert not model.formula.pairs
    own = {
        "version": model.version,
        "threshold": model.threshold,
        "base": model.formula.base,
        "terms": model.formula.fields,
    }
    path.write_bytes(msgspec.json.encode(own))
    return str(path)


def expected(folder: Path, events: EncodedEvents) -> Expected:
    """What the saved model says of events, each of which it can score."""
    model = load(folder)
    decoded = [model.decode(v, k) for v, k in zip(events.values, events.keys, strict=True)]
    good: list[Any] = [event for event in decoded if not isinstance(event, Rejection)]
    assert len(good) == len(decoded)
    ids = map(model.schema.id_of, good)
    pairs = ((p, "Yes" if p >= model.threshold else "No") for p in model.score(good).tolist())
    return dict(zip(ids, pairs, strict=True))


def check(name: str, task: Task, report: Report, right: Expected) -> None:
    """Look at the predictions that a contestant has written and committed.

    Raises:
        RuntimeError: There are too few, or one is wrong.
    """
    records, customers = 0, set()
    with closing(_reader(task)) as reader:
        for partition in reader.list_topics(task.output, _WAIT).topics[task.output].partitions:
            where = TopicPartition(task.output, partition, 0)
            records += reader.get_watermark_offsets(where, _WAIT)[1]
            reader.assign([where])
            for message in reader.consume(_LOOKED_AT, _WAIT):
                found = msgspec.json.decode(message.value() or b"", type=Prediction)
                if not found.is_right(*right[found.customerID]) or message.key() != found.key:
                    raise RuntimeError(f"{name}: {found}, where {right[found.customerID]} is right")
                customers.add(found.customerID)
    if records < report.events or customers != right.keys():
        raise RuntimeError(
            f"{name}: {records:,} records of {len(customers):,} customers, where "
            f"{report.events:,} of {len(right):,} were to be scored"
        )


def _reader(task: Task) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": task.broker,
            "group.id": f"{task.group}-check",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
