"""The exported model of the benchmark, and the plain Python that scores by it."""

from pathlib import Path

import msgspec
import pytest
from benchmarks.events import bundled
from benchmarks.exported import Prediction, expected, export
from benchmarks.peers.exported_model import ExportedModel

from churnstream.codecs.event_encoder import EncodedEvents


def test_plain_python_says_what_the_model_says(trained: Path, tmp_path: Path) -> None:
    """By the exported tables and curves every bundled customer has the model's probability."""
    events = _whole(bundled())
    right = expected(trained, events)
    peer = ExportedModel(export(trained, tmp_path / "exported.json"))
    assert len(right) > 7_000
    for value in events.values:
        event = msgspec.json.decode(value)
        probability, answer = right[event["customerID"]]
        own, own_answer = peer.score(event)
        assert own == pytest.approx(probability, abs=1e-12)
        assert own_answer == answer


def test_another_probability_is_wrong() -> None:
    """A prediction that is off by more than 1e-9, or says No for Yes, is not right."""
    found = _prediction(churn_probability=0.7, prediction="Yes")
    assert found.is_right(0.7 + 5e-10, "Yes")
    assert not found.is_right(0.7 + 2e-9, "Yes")
    assert not found.is_right(0.7, "No")


def _whole(events: EncodedEvents) -> EncodedEvents:
    pairs = zip(events.keys, events.values, strict=True)
    whole = [pair for pair in pairs if b":null" not in pair[1]]
    return EncodedEvents([key for key, _ in whole], [value for _, value in whole])


def _prediction(**own: object) -> Prediction:
    now = "2026-01-01T00:00:00Z"
    rest = {"customerID": "a", "event_ts": now, "processed_ts": now, "model_version": "1"}
    return msgspec.convert(own | rest | {"source_partition": 0, "source_offset": 1}, Prediction)
