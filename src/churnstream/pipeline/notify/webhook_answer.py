"""What a receiver's answer means, and how long to wait before the next attempt."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from random import uniform
from typing import Literal, NamedTuple

_REPEATED = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_FIRST_PAUSE, _MAX_PAUSE = 1.0, 60.0  # seconds
_MAX_ASKED_FOR = 600.0  # seconds that a receiver may make us wait


class WebhookAnswer(NamedTuple):
    """How one attempt ended.

    Attributes:
        outcome: Whether it is delivered, refused for good, or to be sent again.
        words: The answer in words, for logs; nothing of the address or of a customer.
        pause: Seconds to wait, where the receiver asks for them.
    """

    outcome: Literal["delivered", "refused", "retried"]
    words: str
    pause: float | None = None


def answer_of(status: int, retry_after: str | None, now: datetime) -> WebhookAnswer:
    """The meaning of a status.

    2xx is delivered. 408, 425, 429 and 5xx speak of the moment, so they are repeated. All else will
    be answered alike the next time; a redirect, too, since it is not followed: what is signed for
    one receiver goes to no other.

    Args:
        retry_after: The header of that name.
        now: Aware; what a date in it is compared with.
    """
    words = f"HTTP {status}{_phrase(status)}"
    if 200 <= status < 300:  # noqa: PLR2004  # as HTTP has it
        return WebhookAnswer("delivered", words)
    if status in _REPEATED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return WebhookAnswer("retried", words, _seconds(retry_after, now))
    return WebhookAnswer("refused", words)


def _phrase(status: int) -> str:
    """Ours, since the receiver's may be any text."""
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    """From 0 to 600; None for a header that is not there, or is neither seconds nor a date."""
    text = (retry_after or "").strip()
    try:
        if text.isascii() and text.isdigit():
            asked = float(text)
        else:
            date = parsedate_to_datetime(text)
            asked = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return min(max(asked, 0.0), _MAX_ASKED_FOR)


def pause_before(attempt: int, asked: float | None) -> float:
    """Seconds to wait before another attempt; random, or all would come back at once.

    Args:
        attempt: How many there were, 1 or more.
        asked: What the receiver asks for.
    """
    own = min(_MAX_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 10))
    return max(uniform(own / 2, own), asked or 0.0)  # noqa: S311  # no secret
