"""Asking a cluster again while it is moving things about."""

from collections.abc import Callable

import pytest

from churnstream.streaming.kafka.admin import _patiently
from churnstream.streaming.kafka.client import KafkaError, KafkaException


def failing(*codes: int) -> Callable[[], str]:
    """A question that is answered once all of these errors have come."""
    left = list(codes)

    def ask() -> str:
        if left:
            raise KafkaException(KafkaError(left.pop(0)))
        return "answer"

    return ask


def test_a_cluster_without_controller_is_asked_again() -> None:
    """What only a controller can answer times out until there is one, and that is no failure."""
    assert _patiently(failing(KafkaError._TIMED_OUT, KafkaError.NOT_COORDINATOR)) == "answer"


def test_patience_ends() -> None:
    """After the time that was given the last error is raised, and others are raised at once."""
    with pytest.raises(KafkaException):
        _patiently(failing(*[KafkaError._TIMED_OUT] * 3), 0.15)
    with pytest.raises(KafkaException):
        _patiently(failing(KafkaError.TOPIC_AUTHORIZATION_FAILED))
