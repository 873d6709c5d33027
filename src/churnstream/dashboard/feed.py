"""From Kafka into the state of the live page."""

import contextlib
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator

import msgspec
import structlog

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.prediction_codec import prediction_reader
from churnstream.codecs.registry_values import RegistryValues
from churnstream.dashboard.pending_events import PendingEvents
from churnstream.dashboard.processes import look
from churnstream.dashboard.record_view import position_of, timestamp_of
from churnstream.dashboard.state import KeptPrediction, ListedDeadLetter, State
from churnstream.errors import ChurnstreamError
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Message
from churnstream.kafka.tail import Tail
from churnstream.model.phrases import short_reason_writer
from churnstream.pipeline import topic_layout
from churnstream.pipeline.dead_letter_headers import parse_dead_letter
from churnstream.pipeline.decoding import (
    decode_records,
    predictions_as_json,
    registry_values,
    shown_values,
)
from churnstream.records.passed_over import PassedOver
from churnstream.records.rejection import Rejection
from churnstream.schema.record_types import Event
from churnstream.settings import Settings

log = structlog.get_logger("churnstream.dashboard")

_LOOK_EVERY = 2.0  # seconds between two looks at topics and group
_RETRY_AFTER = 1.0
_EVENT_TIMEOUT = 5.0  # seconds that a prediction waits for its event before it counts without
_MAX_WAITING = 10_000
_MAX_AHEAD = 500_000  # events that are read before their outcomes, fewer than are kept


class Feed:
    """Keeps the state up to date, in two threads that end when asked to.

    A prediction counts together with its event, whichever of the two is read first: what is at risk
    depends on both. Neither topic is read far ahead of the other.

    Args:
        stopped: Asked between two polls.
    """

    def __init__(self, settings: Settings, state: State, stopped: Callable[[], bool]) -> None:
        self._settings, self._state, self._stopped = settings, state, stopped
        # The page says within two seconds that no broker answers.
        self._kafka = settings.kafka.model_copy(update={"startup_timeout": _LOOK_EVERY})
        self._identity = ""
        self._decode = EventDecoder(state.schema, closed=False)
        self._opened: RegistryValues | None = None
        self._read_prediction = prediction_reader(state.schema, predictions_as_json(settings))
        self._id_of, self._in_short = state.schema.id_of, short_reason_writer(state.schema)
        self._pending = PendingEvents(state.fields)
        self._waiting: deque[tuple[float, KeptPrediction]] = deque()
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
        self._opened = registry_values(self._settings, self._state.schema.source, self._stopped)
        self._state.shown = shown_values(self._settings, self._opened)
        partitions = {
            name: [(name, p) for p in admin.partitions(name)]
            for name in (names.input, names.output, names.deadletter)
        }
        self._start_over(len(partitions[names.input]))
        with (
            contextlib.closing(Tail(kafka, partitions[names.input])) as events,
            contextlib.closing(
                Tail(kafka, partitions[names.output] + partitions[names.deadletter])
            ) as outcomes,
        ):
            self._follow(events, outcomes)

    def _follow(self, events: Tail, outcomes: Tail) -> None:
        state = self._state
        while not (self._stopped() or self._others.is_set()):
            is_full = len(self._waiting) >= _MAX_WAITING // 2
            outcomes_due = state.events - state.passed_over.total()
            ahead = outcomes_due - state.predictions - state.reasons.total()
            if ahead < _MAX_AHEAD or is_full or outcomes.caught_up:
                self.take_events(events.poll(0 if events.caught_up else 0.01))
            if events.caught_up or not is_full:
                self.take_outcomes(outcomes.poll(0.1 if events.caught_up else 0.01))
            else:
                self.take_outcomes([])
            state.reading = not (events.caught_up and outcomes.caught_up)
            if events.cut_off or outcomes.cut_off:
                state.set_problem(f"no broker answers at {self._settings.kafka.brokers}")

    def _start_over(self, partitions: int) -> None:
        with self._state.lock:
            self._state.clear()
            self._state.reading = True
        self._pending = PendingEvents(self._state.fields, partitions)
        self._waiting.clear()
        self._others.clear()

    def take_events(self, records: list[Message]) -> None:
        """Take note of records of the input topic, as far as the consumer would."""
        if not records:
            return
        state, pending = self._state, self._pending
        found = decode_records(self._decode, records, self._opened)
        known: defaultdict[int, dict[int, Event]] = defaultdict(dict)
        by_rule = Counter(event.rule for event in found if isinstance(event, PassedOver))
        for record, event in zip(records, found, strict=True):
            partition, offset = position_of(record)
            if not isinstance(event, Rejection | PassedOver):
                known[partition][offset] = event
            pending.note_read(partition, offset)
        for partition, events in known.items():
            pending.put(partition, list(events), list(events.values()))
        with state.lock:
            state.changes += 1
            state.events += len(records)
            state.passed_over += by_rule
            state.events_in.add(map(timestamp_of, records))
            state.add_newest(self._settings.topics.input, records)

    def take_outcomes(self, records: list[Message]) -> None:
        """Take note of predictions and dead letters."""
        state, names = self._state, self._settings.topics
        dead_letters = [r for r in records if r.topic() == names.deadletter]
        predictions = [r for r in records if r.topic() == names.output]
        now = time.monotonic()
        made = [(now, one) for one in map(self._made, predictions) if one]
        with state.lock:
            state.changes += bool(records or self._waiting)
            self._take_dead_letters(dead_letters)
            self._take_predictions(made, now)
            state.events_out.add(map(timestamp_of, predictions))
            state.add_newest(names.output, predictions)

    def _made(self, record: Message) -> KeptPrediction | None:
        prediction = self._read_prediction(record.value())
        if prediction is None:
            self._state.foreign[self._settings.topics.output] += 1
            return None
        name, position = self._id_of(prediction), position_of(record)
        return KeptPrediction.of(name, prediction, timestamp_of(record), position, self._in_short)

    def _take_predictions(self, made: list[tuple[float, KeptPrediction]], now: float) -> None:
        """Count those whose event is known or will not come, and keep the others waiting.

        Those that waited come first: of a customer's predictions the last one counts.
        """
        waiting = self._waiting
        for _ in range(len(waiting)):
            self._take_prediction(*waiting.popleft(), now)
        for since, one in made:
            self._take_prediction(since, one, now)
        while len(waiting) > _MAX_WAITING:
            self._state.add_prediction(waiting.popleft()[1], None)

    def _take_prediction(self, since: float, made: KeptPrediction, now: float) -> None:
        said = self._pending.find(*made.source, made.name)
        if said is None and self._pending.may_come(*made.source) and now - since < _EVENT_TIMEOUT:
            self._waiting.append((since, made))
        else:
            self._state.add_prediction(made, said)

    def _take_dead_letters(self, records: list[Message]) -> None:
        for record in records:
            try:
                dead_letter = ListedDeadLetter.of(parse_dead_letter(record), position_of(record))
            except msgspec.ValidationError:
                self._state.foreign[self._settings.topics.deadletter] += 1
                continue
            self._state.add_dead_letter(dead_letter)
            self._state.rejected.add([dead_letter.at])

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
        rows = topic_layout.describe(admin, self._settings)
        identity = admin.topic_id(self._settings.topics.input)
        if self._identity not in ("", identity):
            log.info("topics_made_again", reads_from="the beginning")
            self._others.set()
        self._identity = identity
        with self._state.lock:
            self._state.changes += 1
            self._state.partitions = rows
            self._state.lags.append(self._state.lag())
        self._state.set_problem("")
