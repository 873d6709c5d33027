"""A topic that is another than before is named, whatever a client says of it."""

from __future__ import annotations

from typing import cast

import pytest

from churnstream.errors import (
    AbortableError,
    BrokerUnreachableError,
    TopicMissingError,
    TopicRecreatedError,
)
from churnstream.kafka.admin import Admin
from churnstream.kafka.topic_identity import TopicIdentity

DESYNCHRONISED = AbortableError("committing failed: sequence desynchronization with broker 1")


class Topics:
    """Answers with one identity after the other, or fails."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers = list(answers)

    def topic_id(self, topic: str, timeout: float = 0) -> str:
        """As `Admin.topic_id`."""
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def identity(*answers: str | Exception) -> TopicIdentity:
    """One whose topic has these identities, one after the other."""
    return TopicIdentity(cast(Admin, Topics(*answers)), "telco.in")


def running() -> bool:
    """Nobody has asked the process to end."""
    return False


def test_a_failure_is_explained_although_the_question_was_asked_just_now() -> None:
    """A batch in flight to the old topic fails in words that nobody understands."""
    said = r"telco.in was .*created again.*; run it again"
    topic = identity("a", "b")
    with (
        pytest.raises(TopicRecreatedError, match=said),
        topic.throughout("; run it again", running),
    ):
        raise DESYNCHRONISED


def test_a_failure_while_the_topic_is_gone_says_so() -> None:
    """Between the deletion and the new topic there is none."""
    with (
        pytest.raises(TopicMissingError),
        identity("a", TopicMissingError("no topic")).throughout("", running),
    ):
        raise DESYNCHRONISED


@pytest.mark.parametrize("answer", ["a", BrokerUnreachableError("no broker")])
def test_any_other_failure_stays_as_it_is(answer: str | Exception) -> None:
    """Nothing is blamed on the topic that it is not known to have done."""
    with (
        pytest.raises(AbortableError, match="desynchronization"),
        identity("a", answer).throughout("", running),
    ):
        raise DESYNCHRONISED


def test_work_that_seems_done_is_not_where_the_topic_is_another() -> None:
    """The last batch may have gone to the new topic, and those before are gone."""
    with pytest.raises(TopicRecreatedError), identity("a", "b").throughout("", running):
        pass


def test_whoever_was_asked_to_end_asks_nobody() -> None:
    """An answer may take longer than there is time to end."""
    with pytest.raises(AbortableError, match="desync"), identity("a").throughout("", lambda: True):
        raise DESYNCHRONISED
    with identity("a").throughout("", lambda: True):
        pass


def test_what_was_recreated_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of `check` passes through as it is."""
    monkeypatch.setattr("churnstream.kafka.topic_identity._EVERY", 0.0)
    topic = identity("a", "b", "b")
    with pytest.raises(TopicRecreatedError), topic.throughout("; run it again", running):
        topic.check("; run it again")
