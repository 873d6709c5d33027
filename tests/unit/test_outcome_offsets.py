"""Where the outcomes of an input topic begin is noted, as far as there is a place for it."""

from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from churnstream.errors import TopicMissingError
from churnstream.kafka.admin import Admin
from churnstream.pipeline import outcome_offsets
from churnstream.settings import Settings


class NoCheckpointTopic:
    """An admin on whose broker the topic is missing."""

    def partitions(self, topic: str) -> list[int]:
        """None at all."""
        raise TopicMissingError(f"no topic {topic}")


def test_without_the_checkpoint_topic_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client would wait half a minute for it, and with it the first batch."""

    def writer(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(outcome_offsets, "Writer", writer)
    admin = cast("Admin", NoCheckpointTopic())
    with capture_logs() as logs:
        outcome_offsets.note_outcome_start(Settings(), admin, "id", lambda: False)
    assert [log["event"] for log in logs] == ["outcomes_not_noted"]
    assert logs[0]["error"] == "no topic telco.producer.checkpoints"
