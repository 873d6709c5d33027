"""Records that anyone may have written, in every topic, against all that reads them back."""

import asyncio
import io
import json
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_NOT_AVAILABLE, Message
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from builders import TELCO, customer, event_message, message
from churnstream.analysis.evaluation import Evaluator, Quality
from churnstream.analysis.report_page import render_report
from churnstream.analysis.summary_table import render_summary
from churnstream.analysis.window_report import WindowReportBuilder
from churnstream.cli.dead_letters import dead_letter_row
from churnstream.cli.options import json_text
from churnstream.connection_settings import KafkaSettings
from churnstream.dashboard.bounded_texts import short_name
from churnstream.dashboard.feed import Feed
from churnstream.dashboard.latency import LatencySeries
from churnstream.dashboard.page_address import PageAddress
from churnstream.dashboard.page_cache import PageCache
from churnstream.dashboard.record_rates import RecordRate
from churnstream.dashboard.record_view import RecordLookup
from churnstream.dashboard.state import State
from churnstream.dashboard.views import Views
from churnstream.escaping import printable
from churnstream.pipeline import outcome_audit, outcome_offsets, prediction_history, replay
from churnstream.pipeline.dead_letter_headers import HEADER_NAMES
from churnstream.pipeline.topic_layout import PartitionState
from churnstream.settings import Settings

SETTINGS = Settings(kafka=KafkaSettings(brokers="127.0.0.1:1"))
TOPICS = SETTINGS.topics
NAMES = (TOPICS.input, TOPICS.output, TOPICS.deadletter, TOPICS.checkpoint)
MEGABYTE = 1_000_000
CONTRACT = TELCO.breakdowns[0]
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
ESCAPES = "\x1b[2J\x9b31m\u202eevil\u2066"


def prediction(**changes: Any) -> dict[str, Any]:
    """A prediction as JSON would give it, with `changes` made to it."""
    valid = {
        "customerID": "7590-VHVEG",
        "churn_probability": 0.5,
        "prediction": "Yes",
        "event_ts": "2026-01-02T03:04:05Z",
        "processed_ts": "2026-01-02T03:04:06Z",
        "model_version": "v1",
        "source_partition": 0,
        "source_offset": 0,
    }
    return {**valid, **changes}


def letter_headers(**changes: str) -> list[tuple[str, str | bytes | None]]:
    """The headers of a dead letter, with `changes` made to them."""
    valid = {
        "topic": TOPICS.input,
        "partition": "0",
        "offset": "0",
        "stage": "VALUE_CONVERTER",
        "class_name": "churnstream",
        "exception_class_name": "churnstream.not_json",
        "message": "value: is not JSON",
        "reason": "not_json",
        "attempt": "1",
        "group": "g",
        "model_version": "v1",
        "failed_at": "2026-01-02T03:04:05Z",
    }
    return [(HEADER_NAMES[name], text.encode()) for name, text in (valid | changes).items()]


class Scan:
    """The records of a test in place of a broker's: everything behind it is the real thing."""

    def __init__(self, records: Sequence[Message]) -> None:
        self._records = records

    def __call__(self, _: object, topic: str, *__: object) -> Any:
        """A batch of what lies in a topic."""
        found = [record for record in self._records if record.topic() == topic]
        return iter([found] if found else [])


class Admin:
    """What a broker says of topics of one partition."""

    embedded = True

    def __init__(self, records: Sequence[Message]) -> None:
        self._records = records

    def earliest_offsets(self, _: str) -> dict[int, int]:
        """Offset 0."""
        return {0: 0}

    def latest_offsets(self, topic: str) -> dict[int, int]:
        """As many as there are."""
        return {0: sum(record.topic() == topic for record in self._records)}

    def latest_settled_offsets(self, topic: str, **_: object) -> dict[int, int]:
        """The same."""
        return self.latest_offsets(topic)

    def latest_written_offsets(self, topic: str) -> dict[int, int]:
        """The same."""
        return self.latest_offsets(topic)

    def max_record_bytes(self, _: str) -> int:
        """The default of a broker."""
        return 2**20

    def topic_id(self, topic: str) -> str:
        """One of its name."""
        return f"id of {topic}"

    def committed(self, *_: object) -> dict[int, int]:
        """Nothing was committed."""
        return {0: 0}


@contextmanager
def topics_of(records: Sequence[Message]) -> Iterator[Admin]:
    """Let commands read these records."""
    scan = Scan(records)
    with (
        mock.patch.object(prediction_history, "Scan", scan),
        mock.patch.object(outcome_audit, "Scan", scan),
        mock.patch.object(replay, "Scan", scan),
        mock.patch.object(outcome_offsets, "Scan", scan),
        mock.patch("churnstream.pipeline.checkpoint.Scan", scan),
    ):
        yield Admin(records)


class Page:
    """The live page as far as it needs no broker."""

    def __init__(self, records: Sequence[Message] = ()) -> None:
        self.state = State(TELCO)
        self.views = Views(SETTINGS, self.state, RecordLookup(SETTINGS.kafka))
        feed = Feed(SETTINGS, self.state, lambda: True)
        feed.take_events([r for r in records if r.topic() == TOPICS.input])
        feed.take_outcomes([r for r in records if r.topic() in (TOPICS.output, TOPICS.deadletter)])
        self.state.partitions = [PartitionState(TOPICS.input, 0, 0, 1, None, 1)]

    def pieces(self, **query: str) -> dict[str, str]:
        """The pieces at an address, which are few bytes and come in time."""
        begin = time.monotonic()
        pieces = self.views.pieces(self.views.address(query))
        took = time.monotonic() - begin
        pushed = json.dumps(pieces)
        "".join(pieces.values()).encode()
        assert len(pushed) < MEGABYTE
        assert took < 10, "it hangs"
        return pieces

    def all(self) -> str:
        """Every view, as one text."""
        queries: list[dict[str, str]] = [
            {},
            {"customer": "7590-VHVEG", "q": "7", "sort": "scored_at"},
            {"view": "pipeline"},
            *({"view": "records", "topic": topic} for topic in NAMES[:3]),
        ]
        return "".join(piece for query in queries for piece in self.pieces(**query).values())


# ---- any bytes in any topic ----

BYTES = st.binary(max_size=60)
KEYS = [
    b"7590-VHVEG",
    f"replay:{TOPICS.deadletter}:x".encode(),
    f"outcomes:{TOPICS.input}:".encode(),
]
HIDING = json.dumps(  # as a note of where the outcomes begin
    {
        "topic": TOPICS.input,
        "topic_id": f"id of {TOPICS.input}",
        "begins": {f"id of {TOPICS.output}": {"0": 10**30}},
    }
).encode()
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
STRANGE_TIMES = ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"]
REASONS_GIVEN = [{"feature": "f", "value": "v", "effect": 1e300, "text": "t" * 10_000}] * 9
EVENT_LIKE = st.builds(
    lambda field, value: json.dumps(customer(**{field: value})).encode(),
    st.sampled_from([*customer(), "extra"]),
    ANY_JSON | st.sampled_from([-3_000_000_000, -1e308, 1e308, 10**30, ESCAPES, "x" * 10_000]),
)
PREDICTION_LIKE = st.builds(
    lambda changes: json.dumps(prediction(**changes)).encode(),
    st.dictionaries(
        st.sampled_from([*prediction(), "reasons"]),
        ANY_JSON | st.sampled_from([*STRANGE_TIMES, 2**63, 10**30, ESCAPES, REASONS_GIVEN]),
        max_size=3,
    ),
)
VALUES = (
    st.none()
    | BYTES
    | EVENT_LIKE
    | PREDICTION_LIKE
    | ANY_JSON.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"[" * 100_000, b'{"customerID":' * 9_000, b'{"a":1e999}', b"hello", HIDING])
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([*HEADER_NAMES.values()]) | st.text(max_size=9),
        st.none()
        | BYTES
        | st.text(max_size=9)
        | st.sampled_from(["9" * 400, "-1", "1e400", "nan"]),
    ),
    max_size=8,
)
LETTERS_LIKE = st.dictionaries(
    st.sampled_from([*HEADER_NAMES]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    | st.sampled_from(["9" * 400, str(2**63), "1e400", "0001-01-01T00:00:00+23:00", ESCAPES]),
    max_size=3,
).map(lambda changes: letter_headers(**changes))
RECORDS = st.lists(
    st.builds(
        lambda topic, value, key, headers, at: message(
            value, topic=topic, key=key, headers=headers, timestamp=at
        ),
        st.sampled_from(NAMES),
        VALUES,
        st.none()
        | BYTES
        | st.sampled_from(
            [
                b"7590-VHVEG",
                f"replay:{TOPICS.deadletter}:x".encode(),
                f"outcomes:{TOPICS.input}:".encode(),
            ]
        ),
        HEADERS | LETTERS_LIKE,
        st.tuples(
            st.sampled_from([TIMESTAMP_CREATE_TIME, TIMESTAMP_NOT_AVAILABLE]),
            st.integers(-(2**63), 2**63 - 1) | st.just(-62_200_000_000_000),
        ),
    ),
    max_size=8,
)


def numbered(records: Sequence[Message]) -> list[Message]:
    """The records with the offsets that a broker would give them."""
    counts = dict.fromkeys(NAMES, 0)
    found = []
    for record in records:
        topic = record.topic() or ""
        found.append(
            message(
                record.value(),
                topic=topic,
                key=record.key(),
                headers=list(record.headers() or []),  # type: ignore[arg-type]
                timestamp=record.timestamp(),
                offset=counts[topic],
            )
        )
        counts[topic] += 1
    return found


@settings(deadline=None, max_examples=150)
@given(RECORDS)
def test_whatever_lies_in_the_topics_can_be_read_back(records: list[Message]) -> None:
    """Every view is a page, and every reading command counts, whatever anybody wrote."""
    records = [event_message(), *numbered(records)]
    Page(records).all()
    with topics_of(records) as broker:
        admin: Any = broker
        past = prediction_history.PredictionHistory(
            SETTINGS, TELCO, admin, {0: 0}, admin.latest_offsets(TOPICS.input)
        )
        assert sum_up(past) <= len(records)
        assert all(version.isprintable() for version in past.versions)
        outcome_audit.audit(SETTINGS, TELCO, admin)
        for found in replay.find(SETTINGS, admin, replay.Filter()):
            assert not any(OBEYED.search(json_text(dead_letter_row(*pair))) for pair in found)
        replay.Replay(SETTINGS, admin).run(replay.Filter(), dry_run=True)


def sum_up(past: prediction_history.PredictionHistory) -> int:
    """What report and evaluate make of outcomes; how many there are."""
    builder, evaluator = WindowReportBuilder(TELCO, None, top_k=10), Evaluator(TELCO, "hour")
    for batch in past.scored():
        builder.add(*batch)
        evaluator.add(batch.events, batch.probabilities, batch.says_yes, [True] * len(batch.events))
    for rejection, partition, offset in past.rejected():
        builder.add_rejected([rejection], [partition], [offset])
    found = builder.build(model_versions=list(past.versions), threshold=None, duration_s=1.0)
    out = io.StringIO()
    render_summary(TELCO, found.summary, Console(file=out))
    assert not OBEYED.search(out.getvalue())
    assert len(render_report(TELCO, found.summary, found.findings)) < MEGABYTE
    evaluator.build(lambda judged: Quality(profit=float(judged.worth.sum())))
    return found.summary.messages_read


@pytest.mark.parametrize("text", [ESCAPES, "\r\n\x00", "\u200f\u2029", "\ud800", "é 字"])
def test_a_text_is_printed_without_what_a_terminal_obeys(text: str) -> None:
    """Control characters and turns of direction are shown as escapes, letters as they are."""
    assert printable(text).isprintable()
    assert printable("é 字") == "é 字"
    assert len(printable(text * MEGABYTE)) < 10_000


# ---- what was rejected ----


@pytest.mark.parametrize(
    "changes",
    [
        {"tenure": -3_000_000_000},
        {"tenure": 10**30},
        {"MonthlyCharges": -1e308},
        {"TotalCharges": "many", "MonthlyCharges": 77.0},
        {"Contract": "Weekly", "MonthlyCharges": 77.0},  # unknown to the model, not to the page
        {"event_ts": "0001-01-01T00:00:00+23:00", "MonthlyCharges": 77.0},
    ],
)
def test_what_was_rejected_counts_nowhere(changes: dict[str, Any]) -> None:
    """A customer is as the event says that was scored, whatever others came before and behind."""
    good = event_message(0, 1, MonthlyCharges=100.0)
    made = message(json.dumps(prediction(source_offset=1)).encode(), topic=TOPICS.output)
    page = Page([event_message(0, 0, **changes), good, event_message(0, 2, **changes), made])
    customers = page.state.customers
    row = customers.get(customers.row("7590-VHVEG"))
    assert row.numbers == {"MonthlyCharges": 100.0, "tenure": 1}
    assert row.texts["Contract"] == "Month-to-month"
    assert customers.whole()[0].at_risk == pytest.approx(50.0)
    assert customers.values(CONTRACT) == ["Month-to-month"]
    assert "Weekly" not in "".join(page.pieces().values())


def test_a_prediction_is_joined_with_its_own_event_only() -> None:
    """One that names the place of somebody else's event tells nothing of who is meant."""
    other = json.dumps(prediction(customerID="other")).encode()
    page = Page([event_message(), message(other, topic=TOPICS.output)])
    row = page.state.customers.get(page.state.customers.row("other"))
    assert (row.numbers["MonthlyCharges"], row.texts["Contract"], row.at_risk) == (None, "", None)


# ---- timestamps ----


@pytest.mark.parametrize("at", [-62_200_000_000_000, -(2**63), 2**63 - 1, 253_402_300_800_000])
def test_a_time_that_no_clock_shows_is_a_dash(at: int) -> None:
    """Kafka takes timestamps outside of the years 1 to 9999."""
    stamp = (TIMESTAMP_CREATE_TIME, at)
    made = json.dumps(prediction(processed_ts="0001-01-01T00:00:00+23:00")).encode()
    page = Page(
        [
            message(b"x", timestamp=stamp),
            message(made, topic=TOPICS.output, timestamp=stamp, offset=0),
            event_message(),
            message(
                topic=TOPICS.deadletter,
                headers=letter_headers(failed_at="0001-01-01T00:00:00+23:00"),
            ),
        ]
    )
    assert ">–<" in page.pieces()["table"]  # noqa: RUF001
    assert ">–<" in page.pieces()["just-scored"]  # noqa: RUF001
    assert ">–<" in page.pieces(view="records")["newest"]  # noqa: RUF001
    assert ">–<" in page.pieces(view="records", topic=TOPICS.deadletter)["dead-letters"]  # noqa: RUF001
    assert page.state.over_time.buckets == []
    page.all()


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50))
def test_times_of_any_kind_take_no_memory(moments: list[int]) -> None:
    """Seconds that are not shown are not kept either."""
    rates, latencies = RecordRate(lambda: 1000.0), LatencySeries(lambda: 1000.0)
    for at in moments:
        rates.add([at / 1000])
        latencies.add(at / 1000, at / 1000)
    shown = [at for at in moments if 0 <= at / 1000 <= 2000]
    assert len(rates._counts) <= len(shown)
    assert len(latencies._samples) <= len(shown)


# ---- size ----


def shown_alone(record: Message) -> str:
    """A single record as the page shows it."""
    page = Page()
    page.state.partitions = [PartitionState(TOPICS.input, 0, 0, 1, None, 1)]
    with mock.patch("churnstream.dashboard.record_view.Scan", return_value=[[record]]):
        return page.pieces(view="records", partition="0", offset="0")["record"]


@pytest.mark.parametrize(
    "value",
    [
        b"[" * 900 + b",".join([b"1"] * 450_000) + b"]" * 900,
        b"[" * 900 + b",".join([b"1"] * 9_000) + b"]" * 900,
        b'{"a":' * 3000,
        b"\x00\xff" * 450_000,
        b"<&'\">" * 180_000,
        "💣".encode() * 225_000,
        b"",
    ],
)
def test_a_record_is_shown_in_bounded_time_and_size(value: bytes) -> None:
    """However large, deep or strange: its beginning as it is."""
    begin = time.process_time()
    name = "n" * 100_000
    shown = shown_alone(message(value, key=value, headers=[(name, value)] * 200))
    assert len(json.dumps(shown)) < MEGABYTE / 2
    assert time.process_time() - begin < 5, "it burns the processor"


def test_a_small_record_is_shown_as_it_lies_there() -> None:
    """JSON gets a line for each member, and loses none: neither doubled ones nor odd numbers."""
    shown = shown_alone(message(b'{"a":1e999,"a":"x"}'))
    assert "&#34;a&#34;: 1e999,\n  &#34;a&#34;: &#34;x&#34;" in shown


def many(count: int, scored: bool) -> list[Message]:
    """As many customers, each with a contract of its own, of a kilobyte."""
    events, outcomes = [], []
    for number in range(count):
        name = f"C{number}"
        contract = f"{number}-" + "c" * 1000
        events.append(event_message(0, number, customerID=name, Contract=contract))
        made = prediction(customerID=name, source_offset=number, model_version=contract)
        outcomes.append(message(json.dumps(made).encode(), topic=TOPICS.output, offset=number))
    return events + outcomes if scored else events


def test_thousands_of_rejected_values_are_seen_nowhere() -> None:
    """Values that no model knows make no segment and no filter, and hide none that came before."""
    good = many(1, scored=True)[1]
    events = many(5000, scored=False)
    page = Page([*events, good])
    assert len(page.state.customers.values(CONTRACT)) == 1
    assert "4999-" not in "".join(page.pieces().values())
    page.all()


def test_of_too_many_values_the_rest_is_one() -> None:
    """Segments, filters and models are few on the page, and still count everybody."""
    page = Page(many(3000, scored=True))
    page.all()
    groups = page.state.customers.groups()["Contract"]
    assert len(groups) <= 21
    assert sum(group.scored for _, group in groups) == 3000
    assert dict(groups)["other"].scored >= 2900
    assert len(page.state.models()) <= 21
    assert sum(one.predictions for one in page.state.models()) == 3000
    assert all(len(bucket) <= 90 for bucket in page.state.over_time.buckets)


def test_names_are_short_and_still_apart() -> None:
    """A name of a megabyte is cut, and is not taken for another that begins alike."""
    names = ["n" * MEGABYTE + end for end in ("a", "b")]
    assert len({short_name(name) for name in names}) == 2
    assert all(len(short_name(name)) < 110 for name in [*names, ESCAPES * 1000])
    assert short_name(ESCAPES).isprintable()


def test_predictions_without_an_event_wait_in_bounded_numbers() -> None:
    """Forged ones do not pile up: the oldest count without their event."""
    page = Page()
    feed = Feed(SETTINGS, page.state, lambda: True)
    value = json.dumps(prediction(source_offset=10**9)).encode()
    for first in range(0, 15_000, 5_000):
        batch = range(first, first + 5_000)
        feed.take_outcomes([message(value, topic=TOPICS.output, offset=i) for i in batch])
    assert page.state.predictions == 5_000


# ---- many who look ----


def test_a_view_is_built_once_for_all_who_look() -> None:
    """Fifty who look at one address cost one building, and what changed is told each of them."""
    page = Page([event_message()])
    built: list[object] = []
    build = page.views.pieces

    def counted(address: PageAddress) -> dict[str, str]:
        built.append(address)
        return build(address)

    async def look() -> None:
        shared, address = PageCache(page.views), page.views.address({})
        first = await asyncio.gather(*(shared.get(address) for _ in range(50)))
        assert len(built) == 1
        assert len({id(one) for one in first}) == 1
        sent = first[0].pieces
        first[0].at -= 1
        assert (await shared.get(address)).pieces is sent  # nothing has changed
        assert len(built) == 1
        page.state.set_problem("no broker answers")
        first[0].at -= 1
        again = await asyncio.gather(*(shared.get(address) for _ in range(50)))
        assert len(built) == 2
        assert list(json.loads(again[0].since(sent))) == ["status"]
        assert again[0].since(sent) is again[1].since(sent)
        for number in range(200):
            await shared.get(page.views.address({"q": str(number)}))
        assert len(shared._kept) <= 64

    with mock.patch.object(page.views, "pieces", counted):
        asyncio.run(look())
