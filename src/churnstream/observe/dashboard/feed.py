"""From Kafka into the state of the live page."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec
import structlog

from churnstream.config import Settings
from churnstream.errors import ChurnstreamError
from churnstream.messages import decode_prediction
from churnstream.observe.dashboard.processes import look
from churnstream.observe.dashboard.state import Letter, State
from churnstream.streaming import topics
from churnstream.streaming.dead_letters import parse
from churnstream.streaming.kafka.admin import Admin
from churnstream.streaming.kafka.client import Message
from churnstream.streaming.kafka.tail import Tail

log = structlog.get_logger("churnstream.dashboard")

_LOOK_EVERY = 2.0  # seconds between two looks at topics and group
_RETRY_AFTER = 1.0
_PATIENCE = 5.0  # seconds that a prediction waits for its event before it counts without


class _Customer(msgspec.Struct, gc=False):
    """The part of an event that the page shows."""

    customerID: str  # noqa: N815  # the data set's own name
    Contract: str
    InternetService: str
    MonthlyCharges: float
    tenure: int


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_customer = msgspec.json.Decoder(_Customer).decode


class Feed:
    """Keeps the state up to date, in two threads that end when told to.

    Events are read before the predictions that speak of them: what is at risk depends on both.

    Args:
        stopped: Asked between two polls.
    """

    def __init__(self, settings: Settings, state: State, stopped: Callable[[], bool]) -> None:
        self._settings, self._state, self._stopped = settings, state, stopped
        # The page says within two seconds that no broker answers.
        self._kafka = settings.kafka.model_copy(update={"startup_timeout": _LOOK_EVERY})
        self._identity = ""
        self._waiting: list[tuple[float, Message]] = []
        self._others = threading.Event()  # the topics are other ones than before

    def start(self) -> list[threading.Thread]:
        """Begin reading; the threads."""
        targets = (self._read_for_ever, self._look_for_ever)
        threads = [threading.Thread(target=target, daemon=True) for target in targets]
        for thread in threads:
            thread.start()
        return threads

    @contextlib.contextmanager
    def _problems_shown(self) -> Iterator[None]:
        """Say on the page what went wrong; the loop around it tries again."""
        try:
            yield
        except ChurnstreamError as error:
            self._state.set_problem(str(error))
            time.sleep(_RETRY_AFTER)
        except Exception as error:
            log.exception("dashboard_stumbled")
            self._state.set_problem(f"this page stumbled: {error}")
            time.sleep(_RETRY_AFTER)

    # ---- records ----

    def _read_for_ever(self) -> None:
        while not self._stopped():
            with self._problems_shown():
                self._read()

    def _read(self) -> None:
        kafka, names = self._kafka, self._settings.topics
        admin = Admin(kafka, self._stopped)
        places = {
            name: [(name, p) for p in admin.partitions(name)]
            for name in (names.input, names.output, names.deadletter)
        }
        self._start_over()
        events = Tail(kafka, places[names.input])
        try:
            while not (events.caught_up or self._stopped()):
                self.take_events(events.poll(0.2))
            outcomes = Tail(kafka, places[names.output] + places[names.deadletter])
            try:
                self._follow(events, outcomes)
            finally:
                outcomes.close()
        finally:
            events.close()

    def _follow(self, events: Tail, outcomes: Tail) -> None:
        while not (self._stopped() or self._others.is_set()):
            self.take_events(events.poll(0))
            self.take_outcomes(outcomes.poll(0.1))
            self._state.reading = not outcomes.caught_up
            if events.cut_off or outcomes.cut_off:
                self._state.set_problem(f"no broker answers at {self._settings.kafka.brokers}")

    def _start_over(self) -> None:
        with self._state.lock:
            self._state.clear()
            self._state.reading = True
        self._waiting.clear()
        self._others.clear()

    def take_events(self, records: list[Message]) -> None:
        """Take note of records of the input topic."""
        state = self._state
        with state.lock:
            for record in records:
                try:
                    one = _decode_customer(record.value() or b"")
                except _UNREADABLE:
                    continue  # it will be among the dead letters
                state.customers.see(
                    one.customerID,
                    one.Contract,
                    one.InternetService,
                    one.MonthlyCharges,
                    one.tenure,
                )
            state.events += len(records)
            state.events_in.add(map(_moment, records))

    def take_outcomes(self, records: list[Message]) -> None:
        """Take note of predictions and dead letters."""
        now, state = time.monotonic(), self._state
        waiting, self._waiting = self._waiting, []
        letters = [r for r in records if r.topic() == self._settings.topics.deadletter]
        predictions = [r for r in records if r.topic() == self._settings.topics.output]
        with state.lock:
            for record in letters:
                self._take_letter(record)
            for since, record in [*waiting, *((now, record) for record in predictions)]:
                self._take_prediction(record, since, now)
            state.refused.add(letter.at for letter in islice(state.letters, len(letters)))
            state.events_out.add(map(_moment, predictions))

    def _take_prediction(self, record: Message, since: float, now: float) -> None:
        try:
            made = decode_prediction(record.value() or b"")
        except _UNREADABLE:
            return  # not ours
        if self._state.customers.row(made.customerID) < 0 and now - since < _PATIENCE:
            self._waiting.append((since, record))
            return
        at = _moment(record)
        partition, offset = record.partition() or 0, record.offset() or 0
        self._state.add_prediction(made, partition, offset, at)

    def _take_letter(self, record: Message) -> None:
        try:
            letter = parse(record)
        except msgspec.ValidationError:
            return  # not ours
        self._state.add_letter(
            Letter(
                record.partition() or 0,
                record.offset() or 0,
                letter.failed_at.timestamp(),
                letter.reason,
                letter.message,
                (letter.topic, letter.partition, letter.offset),
                letter.attempt,
            )
        )

    # ---- topics and group ----

    def _look_for_ever(self) -> None:
        admin: Admin | None = None
        addresses = (self._settings.dashboard.scrape or "").replace(",", " ").split()
        while not self._stopped():
            self._state.processes = [look(address) for address in addresses]
            with self._problems_shown():
                admin = admin or Admin(self._kafka, self._stopped)
                self._look(admin)
            time.sleep(_LOOK_EVERY)

    def _look(self, admin: Admin) -> None:
        rows = topics.describe(admin, self._settings)
        identity = admin.topic_id(self._settings.topics.input)
        if self._identity not in ("", identity):
            log.info("topics_made_again", reads_from="the beginning")
            self._others.set()
        self._identity = identity
        with self._state.lock:
            self._state.partitions = rows
            self._state.lags.append(self._state.lag())
        self._state.set_problem("")


def _moment(record: Message) -> float:
    """The record's timestamp, seconds since 1970."""
    return record.timestamp()[1] / 1000
