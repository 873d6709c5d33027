"""Is the pipeline alive, seen from the broker: topics, lag, freshness."""

import time

import msgspec

from churnstream.config import Settings
from churnstream.errors import BrokerError
from churnstream.streaming import topics
from churnstream.streaming.kafka.admin import Admin
from churnstream.streaming.kafka.scan import Scan

# The last places before a partition's end may hold transaction markers instead of records.
_LOOK_BACK = 10


class Health(msgspec.Struct, frozen=True):
    """The answer of `churnstream health`.

    Attributes:
        problems: Why it is unhealthy, in words; empty if it is healthy.
        lag: Events that the group has still to read.
        last_outcome_age: Seconds since the newest prediction or dead letter; None if there is none.
    """

    healthy: bool
    problems: list[str]
    broker: str
    group: str
    lag: int | None = None
    last_outcome_age: float | None = None


def check(settings: Settings, *, max_lag: int | None, max_age: float) -> Health:
    """Look at broker, topics, lag and freshness.

    Args:
        max_lag: More lag than this is unhealthy; None for any.
        max_age: While there is lag, an outcome must be younger than so many seconds.
    """
    broker, group = settings.kafka.brokers, settings.consumer.group
    try:
        admin = Admin(settings.kafka)
        lag = sum(row.lag or 0 for row in topics.describe(admin, settings))
        age = _last_outcome_age(settings, admin)
    except BrokerError as error:
        return Health(False, [str(error)], broker, group)
    problems = []
    if max_lag is not None and lag > max_lag:
        problems.append(f"group {group} lags {lag} events behind, more than {max_lag}")
    if lag and (age is None or age > max_age):
        since = "yet" if age is None else f"for {age:.0f} s"
        problems.append(f"{lag} events wait and there was no outcome {since}; is a consumer up?")
    return Health(not problems, problems, broker, group, lag, age)


def _last_outcome_age(settings: Settings, admin: Admin) -> float | None:
    newest = 0
    for topic in (settings.topics.output, settings.topics.deadletter):
        starts = {p: max(end - _LOOK_BACK, 0) for p, end in admin.ends(topic).items()}
        for batch in Scan(settings.kafka, topic, starts):
            newest = max(newest, *(record.timestamp()[1] for record in batch))
    return round(time.time() - newest / 1000, 3) if newest else None
