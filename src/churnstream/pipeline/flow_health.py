"""Is the pipeline alive, seen from the broker: topics, lag, freshness."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from churnstream.errors import BrokerError
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Message
from churnstream.kafka.scan import Scan
from churnstream.pipeline import topic_layout
from churnstream.pipeline.dead_letter_headers import parse_dead_letter
from churnstream.records.rejection import UNDECODABLE
from churnstream.records.wire_types import Timestamp
from churnstream.settings import Settings

# The last offsets before a partition's end may hold transaction markers, or records of others.
_LOOK_BACK = (10, 1_000, 100_000)
_CLOCKS_DIFFER = 5.0  # seconds that an outcome may seem to come from the future


class FlowHealth(msgspec.Struct, frozen=True):
    """The answer of `churnstream health`.

    Attributes:
        problems: Why it is unhealthy, in words; empty if it is healthy.
        lag: Events that the group has still to read.
        last_outcome_age: Seconds since the newest prediction or dead letter was written, by the
            clock of its consumer; None if there is none.
    """

    healthy: bool
    problems: list[str]
    broker: str
    group: str
    lag: int | None = None
    last_outcome_age: float | None = None


def check_flow(settings: Settings, *, max_lag: int | None, max_age: float) -> FlowHealth:
    """Look at broker, topics, lag and freshness.

    Args:
        max_lag: More lag than this is unhealthy; None for any.
        max_age: While there is lag, an outcome must be younger than so many seconds.
    """
    broker, group = settings.kafka.brokers, settings.consumer.group
    try:
        admin = Admin(settings.kafka)
        rows = topic_layout.describe(admin, settings)
        age = _last_outcome_age(settings, admin)
    except BrokerError as error:
        return FlowHealth(False, [str(error)], broker, group)
    lag, problems = sum(row.lag or 0 for row in rows), topic_layout.problems(rows)
    if max_lag is not None and lag > max_lag:
        problems.append(f"group {group} lags {lag} events behind, more than {max_lag}")
    if lag and age is not None and age < -_CLOCKS_DIFFER:
        problems.append(
            f"the newest outcome was written {-age:.0f} s in the future, so nobody knows how old "
            "it is; set the clocks of this machine and of the consumers right"
        )
    elif lag and (age is None or age > max_age):
        since = "yet" if age is None else f"for {age:.0f} s"
        problems.append(f"{lag} events wait and there was no outcome {since}; is a consumer up?")
    return FlowHealth(not problems, problems, broker, group, lag, age)


def _last_outcome_age(settings: Settings, admin: Admin) -> float | None:
    names = settings.topics
    found = [
        _newest(settings, admin, names.output, _processed_at),
        _newest(settings, admin, names.deadletter, _failed_at),
    ]
    times = [at.timestamp() for at in found if at is not None]
    return round(time.time() - max(times), 3) if times else None


def _newest(
    settings: Settings, admin: Admin, topic: str, written: Callable[[Message], datetime | None]
) -> datetime | None:
    """When the newest outcome of a topic was written, ever further back until there is one.

    A record's timestamp does not show it: the topic or whoever wrote it may have set another.
    """
    earliest, latest = admin.earliest_offsets(topic), admin.latest_offsets(topic)
    for back in _LOOK_BACK:
        starts = {p: max(end - back, earliest[p]) for p, end in latest.items()}
        scan = Scan(settings.kafka, topic, starts, latest)
        times = [at for batch in scan for at in map(written, batch) if at is not None]
        if times:
            # A single one from the future may be forged; a clock that is wrong makes all of them.
            now = datetime.now(UTC) + timedelta(seconds=_CLOCKS_DIFFER)
            return max((at for at in times if at <= now), default=min(times))
    return None


class _Processed(msgspec.Struct):
    """The part of a prediction that says when it was made."""

    processed_ts: Timestamp


_decode_processed = msgspec.json.Decoder(_Processed).decode


def _processed_at(record: Message) -> datetime | None:
    try:
        return _decode_processed(record.value() or b"").processed_ts
    except UNDECODABLE:
        return None


def _failed_at(record: Message) -> datetime | None:
    try:
        return parse_dead_letter(record).failed_at
    except msgspec.ValidationError:
        return None
