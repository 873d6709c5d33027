"""The producer: rows of customers in, events out."""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from churnstream.codecs.customer_rows import CustomerRows
from churnstream.errors import DataError
from churnstream.kafka.admin import Admin
from churnstream.kafka.writer import Record, Writer
from churnstream.pipeline.checkpoint import CheckpointKey, FileSink, Sink, TransactionSink
from churnstream.pipeline.event_forms import EventForm
from churnstream.pipeline.stop_signal import StopSignal
from churnstream.settings import Settings

log = structlog.get_logger(__name__)

_CHUNK = 5_000  # rows that are encoded together
_POOL = 20_000  # customers that streaming mode draws from, in memory
_TICK = 0.01  # seconds between two bursts at high rates
_MAX_BEHIND = 1.0  # seconds of debt that are caught up after a stall; more is let go


class BatchResult(NamedTuple):
    """What a batch run did.

    Attributes:
        resumed_at: Rows that earlier runs had sent.
        sent: Rows sent by this run.
        finished: Whether the end of the file was reached.
    """

    resumed_at: int
    sent: int
    finished: bool


def produce_batch(
    rows: CustomerRows,
    form: EventForm,
    sink: Sink,
    *,
    batch_size: int,
    resume: bool,
    stop: StopSignal,
    before_batch: Callable[[], None] = lambda: None,
    on_rows: Callable[[int], None] = lambda _: None,
) -> BatchResult:
    """Send the whole file in order, a batch at a time, from where the last run stopped.

    Args:
        rows: Of the file.
        form: Makes records of them.
        sink: Sends them and keeps the position.
        batch_size: Rows between two checkpoints.
        resume: False starts over.
        stop: Asked between batches.
        before_batch: Called before each batch; raises TopicRecreatedError if the rows before are
            gone with the topic that they were sent to.
        on_rows: Told the number of rows sent so far, earlier runs included; first at the start.
    """
    form.check(rows)
    with sink.alone():
        start = done = sink.start(resume=resume)
        on_rows(done)
        for records in _batches(rows, form, batch_size, start):
            if stop.requested():
                return BatchResult(start, done - start, finished=False)
            done += len(records)
            before_batch()
            sink.publish(records, done)
            on_rows(done)
        return BatchResult(start, done - start, finished=True)


def _batches(
    rows: CustomerRows, form: EventForm, batch_size: int, start: int
) -> Iterator[list[Record]]:
    """Batches of records; encoded many rows at a time, since each time has its price."""
    chunk = batch_size * max(1, _CHUNK // batch_size)
    for records in _ahead(_encoded(rows, form, chunk, start)):
        for begin in range(0, len(records), batch_size):
            yield records[begin : begin + batch_size]


def _encoded(rows: CustomerRows, form: EventForm, size: int, start: int) -> Iterator[list[Record]]:
    for chunk in rows.batches(size, start):
        yield form.records(chunk, datetime.now(UTC))


def _ahead(items: Iterator[list[Record]]) -> Iterator[list[Record]]:
    """Make the next item while the last one is being sent, which is mostly waiting."""
    with ThreadPoolExecutor(1, thread_name_prefix="encode") as ahead:
        coming = ahead.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = ahead.submit(next, items, None)
            yield item


def batch_sink(settings: Settings, admin: Admin, rows: CustomerRows, stop: StopSignal) -> Sink:
    """The sink with the best guarantee that this broker can keep."""
    topic = settings.topics.input
    source = CheckpointKey(rows.file.digest(), topic, admin.topic_id(topic))
    max_bytes = admin.max_record_bytes(topic)
    if admin.embedded:
        writer = Writer(settings.kafka, give_up=stop.overdue, max_bytes=max_bytes)
        return FileSink(writer, source, settings.producer.checkpoint_file)
    admin.partitions(settings.topics.checkpoint)
    identity = f"churnstream.produce.{source.topic}.{source.digest[:16]}"
    writer = Writer(settings.kafka, identity, give_up=stop.overdue, max_bytes=max_bytes)
    return TransactionSink(settings.kafka, admin, writer, source, settings.topics.checkpoint)


def produce_streaming(
    rows: CustomerRows,
    form: EventForm,
    writer: Writer,
    topic: str,
    *,
    rate: float,
    seed: int | None,
    max_events: int | None,
    duration: float | None,
    stop: StopSignal,
    on_rows: Callable[[int], None] = lambda _: None,
) -> int:
    """Send random customers, with replacement and a fresh `event_ts`, at a steady rate.

    Args:
        form: Makes records of the customers.
        rate: Events a second.
        seed: Makes the choice of customers repeatable; None for another choice each time.
        max_events: Stop after so many; None for no limit.
        duration: Stop after so many seconds; None for no limit.
        stop: Asked at every burst.
        on_rows: Told the number of events that the broker has confirmed so far; first at the start.

    Returns:
        How many events the broker has confirmed.
    """
    choose = random.Random(seed)  # noqa: S311  # a sample, not a secret
    pool = form.pool(rows.sample(_POOL, choose.getrandbits(32)))
    if not len(pool):
        raise DataError(f"{rows.file.path}: has no customers to draw from")
    sent = 0
    on_rows(sent)
    for due in _schedule(rate, duration, stop):
        count = due if max_events is None else min(due, max_events - sent)
        chosen = choose.choices(range(len(pool)), k=count)
        writer.send(topic, pool.records(chosen, datetime.now(UTC)))
        sent += count
        on_rows(sent - writer.unconfirmed())
        if sent == max_events:
            break
    writer.flush()
    on_rows(sent)
    return sent


def _schedule(rate: float, duration: float | None, stop: StopSignal) -> Iterable[int]:
    """How many events are due, as time goes by: never early, and late ones are caught up."""
    begin = now = time.monotonic()
    origin, sent = begin, 0
    end = begin + duration if duration else float("inf")
    while not stop.requested() and now < end:
        due = int((now - origin) * rate) + 1 - sent
        if due > max(1.0, rate * _MAX_BEHIND):
            log.warning("producer_behind", skipped=due - 1)
            origin, sent, due = now, 0, 1
        if due > 0:
            sent += due
            yield due
        next_due = origin + sent / rate
        time.sleep(min(0.2, max(_TICK, next_due - time.monotonic())))
        now = time.monotonic()
