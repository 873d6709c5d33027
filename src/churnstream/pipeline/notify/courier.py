"""Sending webhooks, a few at a time, until each is answered for good."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

import msgspec
import structlog

from churnstream.pipeline.notify.risk_changes import RiskChange
from churnstream.pipeline.notify.webhook import Webhook
from churnstream.pipeline.notify.webhook_answer import WebhookAnswer, pause_before
from churnstream.records.notification import Notification

log = structlog.get_logger(__name__)

IN_FLIGHT = 8
_FAILURES_OF_AN_OUTAGE = 3  # one after the other
_IN_VAIN = 20  # attempts, with pauses that add up to ten minutes; and others that got through

_encode = msgspec.json.Encoder().encode


class Courier:
    """Threads that send what they are given.

    They do not keep the process alive: a receiver that hangs must not hold up its end.

    Args:
        on_outcome: Called with the outcome of each attempt, by any of the threads.
    """

    def __init__(self, webhook: Webhook, on_outcome: Callable[[str], None]) -> None:
        self._webhook, self._on_outcome = webhook, on_outcome
        self._waiting: SimpleQueue[RiskChange | None] = SimpleQueue()
        self._finished: SimpleQueue[tuple[RiskChange, WebhookAnswer]] = SimpleQueue()
        self._ended = Event()
        self._receiver = _Receiver(webhook.receiver)
        for number in range(IN_FLIGHT):
            Thread(target=self._work, name=f"notify-{number}", daemon=True).start()

    def send(self, change: RiskChange) -> None:
        """Send the notification of a change as soon as others allow."""
        self._waiting.put(change)

    def take_finished(self) -> list[tuple[RiskChange, WebhookAnswer]]:
        """What was delivered or refused for good since this was last asked."""
        found = []
        try:
            while True:
                found.append(self._finished.get_nowait())
        except Empty:
            return found

    def close(self) -> None:
        """Send nothing more; what is under way may still arrive."""
        self._ended.set()
        for _ in range(IN_FLIGHT):
            self._waiting.put(None)

    def _work(self) -> None:
        while (change := self._waiting.get()) is not None and not self._ended.is_set():
            if change.notification and (answer := self._deliver(change.notification)):
                self._finished.put((change, answer))

    def _deliver(self, notification: Notification) -> WebhookAnswer | None:
        """The answer that counts; None if there was none before the end.

        One that fails again and again while others get through would hold up its partition for
        ever, so it counts as refused in the end. One that fails like all others never does.
        """
        body, attempt, accepted = _encode(notification), 0, self._receiver.accepted
        while not self._ended.is_set():
            answer, attempt = self._attempt(body, notification.notification_id), attempt + 1
            if answer.outcome != "retried":
                return answer
            if attempt >= _IN_VAIN and self._receiver.accepted - accepted >= _IN_VAIN:
                words = f"{answer.words}, {attempt} times while others were accepted"
                self._on_outcome("refused")
                return WebhookAnswer("refused", words)
            self._ended.wait(pause_before(attempt, answer.pause))
        return None

    def _attempt(self, body: bytes, notification_id: str) -> WebhookAnswer:
        try:
            answer = self._webhook.post(body, notification_id)
        except Exception as error:  # whatever it is, the thread must go on
            answer = WebhookAnswer("retried", type(error).__name__)
        self._receiver.note(answer)
        self._on_outcome(answer.outcome)
        return answer


class _Receiver:
    """Says once that the receiver is not to be reached, and once that it is again.

    Attributes:
        accepted: How many webhooks it took.
    """

    def __init__(self, name: str) -> None:
        self.accepted = 0
        self._name, self._failures, self._lock = name, 0, Lock()

    def note(self, answer: WebhookAnswer) -> None:
        """Take note of an answer."""
        with self._lock:
            self.accepted += answer.outcome == "delivered"
            before = self._failures
            self._failures = before + 1 if answer.outcome == "retried" else 0
        if self._failures == _FAILURES_OF_AN_OUTAGE:
            log.warning(
                "notify_unreachable", receiver=self._name, because=answer.words, retrying=True
            )
        elif before >= _FAILURES_OF_AN_OUTAGE and not self._failures:
            log.info("notify_reachable_again", receiver=self._name)
