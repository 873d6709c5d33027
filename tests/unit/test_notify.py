"""Who is notified, in what order, and what the answers of a receiver mean; without a broker."""

import hashlib
import hmac
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st
from pydantic import HttpUrl, Secret, SecretStr
from structlog.testing import capture_logs

from builders import TELCO, Prediction, message
from churnstream.codecs.prediction_codec import encode_prediction, prediction_reader
from churnstream.codecs.registered_encoders import registered_encoder
from churnstream.codecs.registered_schemas import registered_schema
from churnstream.codecs.registry_values import RegistryValues
from churnstream.kafka.polled_records import PolledRecords
from churnstream.observability.notifier_metrics import NotifierMetrics
from churnstream.pipeline.notify import courier as courier_module
from churnstream.pipeline.notify.courier import Courier
from churnstream.pipeline.notify.notifier import NotifyCounts
from churnstream.pipeline.notify.pending_changes import PendingChanges
from churnstream.pipeline.notify.risk_changes import AtRisk, RiskChange
from churnstream.pipeline.notify.webhook import SIGNATURE, Webhook, signature
from churnstream.pipeline.notify.webhook_answer import answer_of, pause_before
from churnstream.schema.event_source import Format
from churnstream.settings import NotifySettings
from integration.flow import until
from receiver import Received, Receiver

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TOPIC = "telco.raw.customers"


# ---- what an answer means ----


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ([200, 201, 202, 204, 299], "delivered"),
        ([408, 425, 429, 500, 502, 503, 504, 599], "retried"),
        ([100, 300, 301, 302, 307, 308, 304, 400, 401, 403, 404, 405, 410, 413, 422], "refused"),
    ],
)
def test_a_status_says_whether_it_is_final(statuses: list[int], outcome: str) -> None:
    """What speaks of the moment is repeated; what will be answered alike is not."""
    assert {answer_of(status, None, NOW).outcome for status in statuses} == {outcome}


@given(st.integers(0, 10**9))
def test_seconds_to_wait_are_honoured_up_to_ten_minutes(seconds: int) -> None:
    """Retry-After may be a number."""
    assert answer_of(429, f" {seconds} ", NOW).pause == min(seconds, 600)


@given(st.integers(-(10**6), 10**6))
def test_a_date_to_wait_for_is_honoured_up_to_ten_minutes(seconds: int) -> None:
    """Retry-After may be a date of HTTP; one in the past is now."""
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    assert answer_of(503, date, NOW).pause == min(max(seconds, 0), 600)


@given(st.text() | st.sampled_from(["-1", "1.5", "1e9", "²", "Fri, 99 Foo 2026", "Mon", ""]))
def test_any_other_wish_to_wait_is_no_wish(text: str) -> None:
    """Whatever stands there: a pause is never below 0, above ten minutes, or no number."""
    pause = answer_of(500, text, NOW).pause

    assert pause is None or 0 <= pause <= 600


@given(st.integers(1, 10**6), st.none() | st.floats(0, 600))
def test_pauses_grow_and_are_bounded(attempt: int, asked: float | None) -> None:
    """A minute at most, unless the receiver asks for more."""
    pause = pause_before(attempt, asked)

    assert 0.5 <= pause <= max(60, asked or 0)
    assert pause >= (asked or 0)


# ---- one attempt ----


def settings(url: str, secret: str | None = "geheim-geheim", timeout: float = 1) -> NotifySettings:
    """Those of a webhook."""
    return NotifySettings(
        url=Secret[HttpUrl](HttpUrl(url)),
        secret=SecretStr(secret) if secret else None,
        timeout=timeout,
    )


def test_a_signature_is_that_of_timestamp_and_body() -> None:
    """As receivers compute it: HMAC-SHA256 over both, with a dot between."""
    expected = hmac.new(b"key", b'1700000000.{"a":1}', hashlib.sha256).hexdigest()

    assert signature("key", 1_700_000_000, b'{"a":1}') == f"t=1700000000,v1={expected}"


def test_a_webhook_carries_what_the_address_holds() -> None:
    """Path, query and password; without a secret there is no signature."""
    with Receiver() as receiver:
        url = receiver.url.replace("//", "//us%40er:p%3Ass@") + "?a=b#c"
        answer = Webhook(settings(url, None), 1).post(b"{}", "n-1")
    (request,) = receiver.received

    assert answer.outcome == "delivered"
    assert request.path == "/hook?a=b"
    assert request.headers["Authorization"] == "Basic dXNAZXI6cDpzcw=="
    assert (request.headers["Idempotency-Key"], request.body) == ("n-1", b"{}")
    assert SIGNATURE not in request.headers


def test_a_redirect_is_not_followed() -> None:
    """What is signed for one receiver goes to no other."""
    with Receiver(lambda _: (307, {"Location": "/elsewhere"})) as receiver:
        answer = Webhook(settings(receiver.url), 1).post(b"{}", "n")

    assert (answer.outcome, len(receiver.received)) == ("refused", 1)


def test_no_answer_and_no_connection_are_repeated(free_url: str) -> None:
    """And neither says where it was sent to."""

    def slow(_: Received) -> tuple[int, dict[str, str]]:
        time.sleep(1)
        return 204, {}

    with Receiver(slow) as receiver:
        late = Webhook(settings(receiver.url, timeout=0.2), 1).post(b"{}", "n")
    nowhere = Webhook(settings(free_url), 1).post(b"{}", "n")

    assert (late.outcome, late.words) == ("retried", "no answer in 0.2 s")
    assert nowhere.outcome == "retried"
    assert "127.0.0.1" not in nowhere.words


@pytest.fixture
def free_url() -> str:
    """An address where nobody listens any more."""
    with Receiver() as receiver:
        return receiver.url


def test_a_receiver_is_named_without_its_secrets() -> None:
    """In logs stand scheme, host and port."""
    hook = Webhook(settings("https://user:geheim@hooks.example.com:8443/geheim?t=geheim"), 1)

    assert hook.receiver == "https://hooks.example.com:8443"


# ---- who is notified ----


def prediction(name: str, says_yes: bool, offset: int = 0, **changes: Any) -> Message:
    """A record of the predictions' topic."""
    made = Prediction(
        name,
        0.9 if says_yes else 0.1,
        "Yes" if says_yes else "No",
        NOW,
        NOW,
        "v1",
        0,
        offset,
        [],
    )
    value = encode_prediction(msgspec.structs.replace(made, **changes))
    return message(value, key=name.encode(), offset=offset)


def changes_of(records: list[Message], known: set[bytes] | None = None) -> list[tuple[str, bool]]:
    """What records of one partition change."""
    at_risk = AtRisk(TELCO, TOPIC)
    at_risk.learn(0, known or set())
    found = at_risk.changes(PolledRecords.of(records, {}))
    return [(change.key.decode(), change.notification is not None) for change in found]


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.booleans()), max_size=30))
def test_a_crossing_is_a_yes_after_what_was_none(seen: list[tuple[str, bool]]) -> None:
    """For any order of predictions, in one poll."""
    expected, state = [], dict.fromkeys("ABC", False)
    for name, says_yes in seen:
        if state[name] != says_yes:
            expected.append((name, says_yes))
        state[name] = says_yes

    assert changes_of([prediction(n, yes, i) for i, (n, yes) in enumerate(seen)]) == expected


@pytest.mark.parametrize("form", ["avro", "json-schema"])
def test_crossings_of_predictions_in_the_formats_of_a_registry(form: Format) -> None:
    """They are the same."""
    values = RegistryValues(None, {7: registered_schema("prediction", TELCO, form)}.get)
    encode = registered_encoder("prediction", TELCO, form, 7)
    read = prediction_reader(TELCO)
    seen = [("A", True), ("B", False), ("A", True), ("A", False), ("B", True)]
    plain = [prediction(name, yes, number) for number, (name, yes) in enumerate(seen)]
    written = [
        message(encode(read(one.value())), key=one.key(), offset=one.offset() or 0) for one in plain
    ]
    at_risk = AtRisk(TELCO, TOPIC, values.as_json)
    at_risk.learn(0, set())

    found = at_risk.changes(PolledRecords.of([*written, message(b"\0\0\0\0\7", key=b"C")], {}))
    crossed = [(change.key.decode(), change.notification is not None) for change in found]
    assert crossed == changes_of(plain) == [("A", True), ("A", False), ("B", True)]


def test_who_was_at_risk_before_does_not_cross() -> None:
    """What is known from earlier runs counts."""
    assert changes_of([prediction("A", True), prediction("B", True)], {b"A"}) == [("B", True)]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (None, b"A"),
        (None, None),
        (b"", b"A"),
        (b'{"prediction":"Yes"}', b"B"),
        (prediction("B", True).value(), b"C"),
        (prediction("B", True).value(), None),
        (prediction("A", False).value(), None),
        (prediction("B", True, model_version="x" * 200_000).value(), b"B"),
        (prediction('\\"prediction":"Yes"', False).value(), b"A"),
        (b'"prediction":"Yes"\xff', b"B"),
    ],
)
def test_foreign_records_change_nothing(value: bytes | None, key: bytes | None) -> None:
    """Anybody may write to a topic."""
    assert changes_of([message(value, key=key)], {b"A"}) == []


def test_a_notification_says_who_and_why() -> None:
    """In the fields of the documentation; what is repeated has the same name."""
    reasons = [{"feature": "tenure", "value": "1", "effect": 0.4, "text": "New"}]
    record = prediction("A", True, 7, reasons=reasons)
    at_risk = AtRisk(TELCO, TOPIC)
    at_risk.learn(0, set())
    (change,) = at_risk.changes(PolledRecords.of([record], {}))

    assert json.loads(msgspec.json.encode(change.notification)) == {
        "id": "A",
        "churn_probability": 0.9,
        "prediction": "Yes",
        "reasons": ["New"],
        "event_ts": "2026-01-02T03:04:05Z",
        "processed_ts": "2026-01-02T03:04:05Z",
        "model_version": "v1",
        "notification_id": f"{TOPIC}:0:7:{round(NOW.timestamp() * 1000)}",
    }


def test_a_customer_at_risk_takes_some_hundred_bytes() -> None:
    """Only their IDs are kept; see `AtRisk`."""
    keys = {b"%010d" % number for number in range(100_000)}
    size = sys.getsizeof(keys) + sum(map(sys.getsizeof, keys))

    assert size / len(keys) < 110


# ---- what waits, and what may be committed ----


def crossing(key: bytes, offset: int, partition: int = 0) -> RiskChange:
    """A customer who becomes likely to leave."""
    at_risk = AtRisk(TELCO, TOPIC)
    at_risk.learn(0, set())
    record = prediction(key.decode(), True, offset)
    (change,) = at_risk.changes(PolledRecords.of([record], {}))
    return change._replace(partition=partition)


def fall(key: bytes, offset: int) -> RiskChange:
    """A customer who no longer is."""
    return RiskChange(0, offset, key, None)


def test_a_customers_notifications_are_sent_one_after_the_other() -> None:
    """The second when the first is answered; those of others do not wait."""
    pending = PendingChanges()
    first, other, second = crossing(b"A", 0), crossing(b"B", 1), crossing(b"A", 3)
    for change in (first, other, fall(b"A", 2), second):
        pending.add(change)

    assert pending.take_ready() == [first, other]
    assert pending.finish(first, b"s")
    assert pending.take_ready() == [second]
    assert pending.take_ready() == []


def test_an_offset_waits_for_what_lies_before_it() -> None:
    """And what is kept of customers goes no further than it: both are read together again."""
    pending = PendingChanges()
    first, second = crossing(b"A", 4), crossing(b"B", 6)
    for change in (first, second, fall(b"B", 8)):
        pending.add(change)
    assert pending.to_commit({0: 10}) == {0: 4}
    pending.finish(second, b"s")

    assert pending.to_commit({0: 10}) == {0: 4}
    assert pending.take_states({0: 4}) == []
    pending.finish(first, b"s")
    assert pending.to_commit({0: 10}) == {0: 10}
    assert pending.take_states({0: 10}) == [
        {"key": b"B", "value": b"s"},
        {"key": b"B", "value": None},
        {"key": b"A", "value": b"s"},
    ]


def test_what_was_under_way_in_a_partition_that_is_gone_does_not_count() -> None:
    """Its new owner sends it again; the other partitions go on."""
    pending = PendingChanges()
    gone, stays = crossing(b"A", 0), crossing(b"B", 0, partition=1)
    pending.add(gone)
    pending.add(stays)
    pending.forget(0)
    again = crossing(b"A", 0)
    pending.add(again)

    assert not pending.finish(gone, b"s")
    assert pending.finish(stays, b"s")
    assert pending.take_ready() == [stays, again]
    assert len(pending) == 1


# ---- sending until it is answered ----


def test_one_that_always_fails_is_set_aside_while_others_arrive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would hold up its partition for ever; it counts as refused, with the reason."""
    monkeypatch.setattr(courier_module, "pause_before", lambda *_: 0.01)
    monkeypatch.setattr(courier_module, "_IN_VAIN", 5)

    def poisoned(request: Received) -> tuple[int, dict[str, str]]:
        return (500, {}) if request.notification["id"] == "A" else (204, {})

    counts = NotifyCounts()
    with Receiver(poisoned) as receiver:
        courier = Courier(Webhook(settings(receiver.url), 8), counts.add)
        courier.send(crossing(b"A", 0))
        time.sleep(0.3)
        assert courier.take_finished() == [], "it fails like all others so far"
        for number in range(20):
            courier.send(crossing(b"B%d" % number, number))
        found: dict[bytes, str] = {}
        until(lambda: found.update(finished(courier)) or len(found) == 21)
        courier.close()

    assert found[b"A"].startswith("HTTP 500 Internal Server Error, ")
    assert found[b"A"].endswith(" times while others were accepted")
    assert counts.totals["delivered"] == 20


def finished(courier: Courier) -> dict[bytes, str]:
    """By customer, how notifications ended."""
    return {change.key: answer.words for change, answer in courier.take_finished()}


def test_an_outage_is_said_once_and_so_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many fail meanwhile."""
    monkeypatch.setattr(courier_module, "pause_before", lambda *_: 0.01)
    is_down = True
    with capture_logs() as logs, Receiver(lambda _: (500 if is_down else 204, {})) as receiver:
        courier = Courier(Webhook(settings(receiver.url), 8), lambda _: None)
        for number in range(5):
            courier.send(crossing(b"C%d" % number, number))
        until(lambda: len(receiver.received) > 30)
        is_down = False
        found: dict[bytes, str] = {}
        until(lambda: found.update(finished(courier)) or len(found) == 5)
        courier.close()

    events = [line["event"] for line in logs]
    assert events == ["notify_unreachable", "notify_reachable_again"]


def test_metrics_count_what_became_of_notifications() -> None:
    """By outcome, each of which is there from the start."""
    from prometheus_client import CollectorRegistry

    registry, counts = CollectorRegistry(), NotifyCounts()
    NotifierMetrics(registry, counts)
    counts.add("delivered")
    counts.pending, counts.lags = 3, {1: 7}

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"churnstream_{name}", labels)

    assert value("notifications_total", outcome="delivered") == 1
    assert value("notifications_total", outcome="refused") == 0
    assert value("notifications_pending") == 3
    assert value("notification_lag", partition="1") == 7
