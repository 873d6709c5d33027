"""Records of anybody's in every topic of a real broker, against the real commands and the page."""

import ctypes
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import pytest

from builders import customer, event_json
from churnstream.pipeline.dead_letter_headers import HEADER_NAMES, HEADERS_OMITTED
from churnstream.testing.embedded import free_port
from integration.flow import Flow, NewFlow, Sent, headers_of, until
from integration.test_live_page import get, pushed

ESCAPES = "\x1b[2J\x9b31m\u202eevil"
OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
MEGABYTE = 1_000_000
GOOD = 30
BEFORE_ALL_CALENDARS = -62_200_000_000_000


def prediction(**changes: object) -> bytes:
    """A prediction of the event at 0:0, as the bytes of a record's value."""
    valid = {
        "customerID": "G0",
        "churn_probability": 0.5,
        "prediction": "Yes",
        "event_ts": "2026-01-02T03:04:05Z",
        "processed_ts": "2026-01-02T03:04:06Z",
        "model_version": "v1",
        "source_partition": 0,
        "source_offset": 10**9,
    }
    return json.dumps(valid | changes).encode()


def dead_letter(**changes: str) -> Sent:
    """A dead letter with a forged description."""
    valid = {
        "topic": "telco.raw.customers",
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
    pairs = [(HEADER_NAMES[name], text.encode()) for name, text in (valid | changes).items()]
    return Sent(b"x", b"k", headers=pairs)


def hostile_events() -> list[Sent]:
    """What the consumer rejects, or scores although it is strange."""
    deep = b"[" * 900 + b",".join([b"1"] * 350_000) + b"]" * 900
    return [
        Sent(event_json(customerID="G0", tenure=-3_000_000_000), b"G0"),
        Sent(event_json(customerID="G0", MonthlyCharges=-1e308), b"G0"),
        Sent(event_json(customerID="G0", Contract="Weekly", MonthlyCharges=1e9), b"G0"),
        Sent(event_json(customerID="G0", MonthlyCharges=5e8), b"another"),
        Sent(json.dumps(customer(customerID=ESCAPES)).encode(), ESCAPES.encode()),
        Sent(event_json(customerID="H" * 400_000), b"H" * 400_000),
        Sent(event_json(customerID="I", MonthlyCharges=1.7e308), b"I"),
        Sent(event_json(customerID="J"), b"J", timestamp=BEFORE_ALL_CALENDARS),
        Sent(deep, b"deep", partition=0, headers=[("h" * 1000, b"\xff" * 1000)] * 100),
        Sent(None, None, headers=[("", None), ("", b"\x00")]),
        *(
            Sent(event_json(customerID=f"K{i}", Contract=f"{i}" + "c" * 1000), f"K{i}".encode())
            for i in range(1500)
        ),
    ]


def hostile_outcomes() -> list[Sent]:
    """Predictions, forged ones among them, and what is none."""
    return [
        Sent(b"hello"),
        Sent(b'{"hello":1}', b"k"),
        Sent(b'{"source_partition":0,"source_offset":1e400}'),
        Sent(b'{"x":' * 50_000),
        Sent(None, b"k" * 500_000),
        Sent(prediction(processed_ts="0001-01-01T00:00:00+23:00")),
        Sent(prediction(customerID="OLD"), timestamp=BEFORE_ALL_CALENDARS),
        Sent(prediction(event_ts="9999-12-31T23:59:59-23:00")),
        Sent(prediction(customerID="N" * 400_000, model_version=ESCAPES * 5_000)),
        Sent(prediction(source_partition=2**31 - 1, source_offset=2**63 - 1)),
        Sent(prediction(source_partition=10**30, source_offset=10**30)),
        Sent(prediction(source_offset=0, model_version=ESCAPES)),
        *(Sent(prediction(model_version=f"{i}-" + "v" * 2000)) for i in range(300)),
    ]


def newest_of_each_partition() -> list[Sent]:
    """What no decoder reads, each in its own way, where a command looks first."""
    undecodable = (b'{"x":' * 50_000, b'{"processed_ts":"\xff"}', b"[" * 50_000)
    return [Sent(value, partition=p) for p in range(3) for value in undecodable]


def hostile_dead_letters(topic: str) -> list[Sent]:
    """Dead letters, forged ones among them, and what is none."""
    return [
        Sent(b"none", b"k"),
        Sent(None, None, headers=[(HEADER_NAMES["offset"], None)]),
        dead_letter(message=ESCAPES, topic=ESCAPES),
        dead_letter(topic=topic, message="m" * 500_000, model_version=ESCAPES),
        dead_letter(topic=topic, offset=str(2**64), partition=str(2**40)),
        dead_letter(topic=topic, attempt="9" * 300),
        dead_letter(topic=topic, failed_at="0001-01-01T00:00:00+23:00"),
        dead_letter(topic=topic, failed_at="1e300"),
    ]


def send_with_header_name(flow: Flow, topic: str, name: bytes) -> None:
    """Send a record with a header whose name is any bytes, which the library for Python rejects."""
    folder = Path(confluent_kafka.__file__).parents[1] / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(folder.glob("librdkafka*"))))
    library.rd_kafka_new.restype = library.rd_kafka_conf_new.restype = ctypes.c_void_p
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    error = ctypes.create_string_buffer(200)
    brokers = flow.settings.kafka.brokers.encode()
    library.rd_kafka_conf_set(conf, b"bootstrap.servers", brokers, error, 200)
    client = ctypes.c_void_p(library.rd_kafka_new(0, conf, error, 200))
    named = (TOPIC, topic.encode(), HEADER, name, b"x", ctypes.c_ssize_t(1))
    value = (VALUE, b"x", ctypes.c_size_t(1), FLAGS, COPY, END)
    assert library.rd_kafka_producev(client, *named, *value) == 0
    assert library.rd_kafka_flush(client, 20_000) == 0
    library.rd_kafka_destroy(client)


# What its arguments are called in rdkafka.h.
END, TOPIC, VALUE, FLAGS, HEADER, COPY = 0, 1, 4, 7, 9, 2


@pytest.fixture(scope="module")
def attacked(new_flow: NewFlow) -> Flow:
    """Thirty good customers scored, and around them what anybody may write."""
    flow = new_flow("attacked")
    topics = flow.settings.topics
    flow.send([Sent(event_json(customerID=f"G{i}"), f"G{i}".encode()) for i in range(GOOD)])
    flow.send(hostile_events())
    send_with_header_name(flow, topics.input, b"\xff\xfe")
    flow.consume()
    flow.send(hostile_outcomes(), topics.output)
    flow.send(newest_of_each_partition(), topics.output)
    flow.send(hostile_dead_letters(topics.input), topics.deadletter)
    for topic in (topics.output, topics.checkpoint):
        send_with_header_name(flow, topic, b"\xff\xfe")
    flow.send(
        [Sent(b"x", f"replay:{topics.deadletter}:a:b:c".encode()), Sent(None, b"\xff")],
        topics.checkpoint,
    )
    return flow


COMMANDS = {
    "report": {0},
    "drift --small-ok": {0},
    "drift --threshold 1000 --json": {0},
    "evaluate": {1},  # there are no labels
    "audit": {1},  # forged outcomes are orphans
    "audit --json": {1},
    "dead-letters list --limit 2000": {0},
    "dead-letters list --limit 2000 --json": {0},
    "dead-letters replay --dry-run": {0},
    "topics describe": {0},
    "topics describe --json": {0},
    "health": {0},
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_read_whatever_anybody_wrote(attacked: Flow, command: str) -> None:
    """They end as they promise, without a traceback, and nothing reaches the terminal's ears."""
    ran = attacked.run(command)
    assert ran.code in COMMANDS[command], ran.err
    assert "Traceback" not in ran.err
    assert not OBEYED.search(ran.out + ran.err)
    assert len(ran.out) < 5 * MEGABYTE


@pytest.mark.parametrize("command", ["report", "drift --small-ok", "evaluate"])
def test_foreign_records_are_passed_over_and_counted(attacked: Flow, command: str) -> None:
    """Those that are no predictions are said in one line, and the rest is summed up."""
    output = attacked.settings.topics.output
    ran = attacked.run(command)
    assert f"passed over: 16 records in {output} that are no predictions" in ran.err


def test_a_report_is_small_whatever_it_is_of(attacked: Flow) -> None:
    """Names of 400 kB are cut in the page, and the sums are numbers."""
    assert attacked.run("report").code == 0
    assert attacked.summary().scored >= GOOD
    page = attacked.settings.summary.path.with_suffix(".html")
    assert page.stat().st_size < MEGABYTE


def test_what_a_terminal_obeys_is_shown_as_escapes(attacked: Flow, flow: Flow) -> None:
    """Neither the message of a forged dead letter nor the name of a model moves the cursor."""
    flow.send([dead_letter(message=ESCAPES)], flow.settings.topics.deadletter)
    listed = flow.run("dead-letters list")
    assert not OBEYED.search(listed.out)
    assert "\\x1b[2J\\x9b31m\\u202eevil" in listed.out
    drift = attacked.run("drift --threshold 1000 --json")
    assert "note: scores of other models are in the window:" in drift.err
    assert "\\x1b[2J\\x9b31m\\u202eevil" in drift.err
    listed = attacked.run("dead-letters list --limit 2000")
    assert "\\x1b[2J" in listed.out


def test_headers_that_cannot_be_read_are_said_to_be_missing(attacked: Flow) -> None:
    """A name that is not UTF-8 stops nothing; the dead letter is not whole, and stays."""
    headers = [
        headers_of(one)
        for one in attacked.dead_letters()
        if one.value() == b"x" and one.key() is None
    ]
    assert [h[HEADERS_OMITTED] for h in headers if HEADERS_OMITTED in h] == ["unreadable"]
    assert "1 left alone" in attacked.run("dead-letters replay --dry-run").out


# ---- the page ----


@pytest.fixture(scope="module")
def page(attacked: Flow) -> Iterator[tuple[Flow, int]]:
    """The live page of it, once it has read everything."""
    port = free_port()
    with attacked.process("dashboard", "--port", port) as process:
        until(lambda: get(port)[0] == 200)
        until(lambda: '<span class="state good">live' in get(port)[1])
        yield attacked, port
        assert "Traceback" not in process.err


def views(flow: Flow) -> list[str]:
    """Every view, and single records of every topic."""
    topics = flow.settings.topics
    names = (topics.input, topics.output, topics.deadletter)
    return [
        "",
        "?customer=G0&q=G&sort=scored_at&page=0",
        "?view=pipeline",
        *(f"?view=records&topic={name}" for name in names),
        *(
            f"?view=records&topic={name}&partition={partition}&offset={offset}"
            for name in names
            for partition in range(3)
            for offset in range(12)
        ),
    ]


def test_every_view_is_small_and_there(page: tuple[Flow, int]) -> None:
    """Whatever a record holds, its view is a page under 1 MB, and nobody waits for it."""
    flow, port = page
    for query in views(flow):
        begin = time.monotonic()
        status, body = get(port, f"/{query}")
        assert status == 200, query
        assert len(body.encode()) < MEGABYTE, query
        assert time.monotonic() - begin < 10, query
        assert "stumbled" not in body
        assert not OBEYED.search(body), query


def test_what_was_rejected_counts_nowhere(page: tuple[Flow, int]) -> None:
    """A customer is as his scored event says, not as one that nobody scored."""
    port = page[1]
    body = get(port, "/?customer=G0")[1]
    assert "Weekly" not in body
    assert "ccccc" not in body
    assert re.search(r"Monthly charges</dt><dd>29.85\s", body)
    headline = re.sub(r"<[^>]+>", "", next(pushed(port))["headline"])
    assert not re.search(r"\b(inf|nan)\b", headline)


def test_an_unknown_time_is_a_dash(page: tuple[Flow, int]) -> None:
    """What no clock shows is shown as a dash."""
    flow, port = page
    dead_letters = f"/?view=records&topic={flow.settings.topics.deadletter}"
    until(lambda: ">–<" in get(port, dead_letters)[1])  # noqa: RUF001
    until(lambda: ">–<" in get(port, "/?q=OLD&customer=OLD")[1])  # noqa: RUF001


@pytest.mark.parametrize(
    "query",
    [
        "?view=%ff%fe&topic=%00&reason=%F0%9F%92%A3",
        "?customer=" + "%F0%9F%92%A3" * 3000,
        "?q=" + "%3Cscript%3E" * 3000 + "&by.Contract=" + "%22" * 9000,
        "?page=999999999999999999&sort=nothing",
        "?view=records&partition=9999999999999&offset=999999999999999999",
        "?view=records&partition=-1&offset=1e9",
        "?" + "&".join(f"p{i}=x" for i in range(5000)),
    ],
)
def test_any_query_is_a_page(page: tuple[Flow, int], query: str) -> None:
    """Whatever stands in the address, the answer is a small page, and so is what is pushed."""
    _, port = page
    status, body = get(port, f"/{query}")
    assert status == 200
    assert len(body.encode()) < MEGABYTE
    assert len(json.dumps(next(pushed(port, query)))) < MEGABYTE


@pytest.mark.parametrize("cookie", ["a/b=1", "=", ";;;", "churnstream", 'x="\\', "\xff=\x80"])
def test_any_cookie_is_taken(page: tuple[Flow, int], cookie: str) -> None:
    """A browser may bring cookies of others along."""
    assert get(page[1], "/", Cookie=cookie)[0] == 200


def test_any_cookie_is_no_token(attacked: Flow) -> None:
    """Where a token is needed, strange cookies are none."""
    port = free_port()
    with attacked.process("dashboard --host 0.0.0.0", "--port", port):
        until(lambda: get(port)[0] == 401)
        for cookie in ("a/b=1", "churnstream=\xff", "churnstream"):
            assert get(port, "/", Cookie=cookie)[0] == 401
