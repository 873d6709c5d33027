"""The commands that look after the flow: topics, health, dead letters, and the demo."""

import json
import shlex
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.json import encode

from builders import TELCO, Prediction, customer, event_json
from churnstream.testing.broken_records import broken_records
from integration.flow import (
    Flow,
    NewFlow,
    Ran,
    Sent,
    churnstream,
    headers_of,
    position_of,
    raw_headers,
    source_of,
    value_of,
    write_customers,
)

KEY = customer()["customerID"].encode()


def test_topics_create(flow: Flow) -> None:
    """Creating the topics again changes nothing and says so; a new one is created."""
    names = flow.settings.topics
    again = flow.run("topics create")
    assert again.code == 0
    topics = (names.input, names.output, names.deadletter, names.checkpoint)
    assert again.out.splitlines() == [f"{name}: is there already" for name in topics]
    new = flow.run("topics create", "--output-topic", f"{names.output}.new")
    assert new.out.splitlines()[1] == f"{names.output}.new: created"
    assert new.err == ""


def test_topics_describe(flow: Flow) -> None:
    """Describing shows partitions, offsets and lag, as a table and as JSON."""
    flow.send([Sent(event_json(), KEY, 2)] * 5)
    rows = json.loads(flow.run("topics describe --json").out)
    assert len(rows) == 3 + 3 + 1 + 1
    assert rows[2] == {
        "topic": flow.settings.topics.input,
        "partition": 2,
        "begin": 0,
        "end": 5,
        "committed": None,
        "lag": 5,
        "beyond": 0,
    }
    head, *table = flow.run("topics describe").out.splitlines()
    assert head.split() == ["topic", "partition", "begin", "end", "committed", "lag"]
    assert table[2].split() == [flow.settings.topics.input, "2", "0", "5", "5"]


def test_health(flow: Flow) -> None:
    """Health is bad while events wait for a consumer, and good when all have their outcome."""
    flow.send([Sent(event_json(), KEY)] * 3)
    waiting = flow.run("health")
    state = json.loads(waiting.out)
    assert (waiting.code, state["healthy"], state["lag"]) == (1, False, 3)
    assert state["problems"] == ["3 events wait and there was no outcome yet; is a consumer up?"]

    flow.consume()
    well = flow.run("health", "--max-lag", 0)
    state = json.loads(well.out)
    assert (well.code, state["healthy"], state["lag"], state["problems"]) == (0, True, 0, [])
    assert 0 <= state["last_outcome_age"] < 60

    flow.send([Sent(event_json(), KEY)])
    assert flow.run("health").code == 0
    behind = flow.run("health", "--max-lag", 0)
    (problem,) = json.loads(behind.out)["problems"]
    assert behind.code == 1
    assert problem.endswith("lags 1 events behind, more than 0")


def outcome(flow: Flow, age: float) -> None:
    """Write a prediction that says it was made so many seconds ago; other records stand behind."""
    made = datetime.now(UTC) - timedelta(seconds=age)
    prediction = Prediction("C", 0.5, "Yes", made, made, "v", 0, 0)
    future = int(time.time() * 1000) + 3_000_000
    output = flow.settings.topics.output
    flow.send([Sent(encode(prediction), KEY, 0, timestamp=future)], output)
    flow.send([Sent(b"hello", KEY, 0, timestamp=future)] * 30, output)


def test_freshness_is_by_when_outcomes_were_written(flow: Flow) -> None:
    """Neither the timestamps of records count nor what others write to the topic."""
    flow.send([Sent(event_json(), KEY)] * 3)
    outcome(flow, age=3600)

    stale = flow.run("health")
    state = json.loads(stale.out)
    assert (stale.code, 3590 < state["last_outcome_age"] < 3700) == (1, True)
    assert "there was no outcome for 36" in stale.error

    outcome(flow, age=1)
    assert flow.run("health").code == 0


def test_a_dead_letter_of_an_old_event_is_fresh(flow: Flow) -> None:
    """It was written when it was rejected, whatever time its event has."""
    long_ago, ahead = int(time.time() * 1000) - 3_600_000, int(time.time() * 1000) + 3_000_000
    flow.send([Sent(b"broken", KEY, timestamp=at) for at in (long_ago, ahead)])
    flow.consume()
    flow.send([Sent(event_json(), KEY)])

    state = json.loads(flow.run("health").out)

    assert 0 <= state["last_outcome_age"] < 60


def test_an_outcome_from_the_future_says_that_a_clock_is_wrong(flow: Flow) -> None:
    """How old it is nobody knows then, so nothing is called healthy for it."""
    flow.send([Sent(event_json(), KEY)])
    outcome(flow, age=-3000)

    assert "in the future" in flow.run("health").error

    outcome(flow, age=1)  # among others it may be forged
    assert flow.run("health").code == 0


@pytest.fixture(scope="module")
def rejected(new_flow: NewFlow) -> Flow:
    """A flow with a dead letter of each broken kind."""
    flow: Flow = new_flow("refused")
    flow.send([Sent(record.value, record.key) for record in broken_records(TELCO, customer())])
    flow.consume()
    return flow


def listed(flow: Flow, *flags: object) -> list[dict[str, Any]]:
    """What `dead-letters list --json` shows."""
    ran = flow.run("dead-letters list --json", *flags)
    assert ran.code == 0
    return [json.loads(line) for line in ran.out.splitlines()]


def test_dead_letters_list(rejected: Flow) -> None:
    """The list shows every dead letter with what is wrong, where it was, and its value."""
    rows = listed(rejected)
    expected = {(r.expected, r.value) for r in broken_records(TELCO, customer())}
    assert len(rows) == len(expected)
    for row, dead_letter in zip(rows, rejected.dead_letters(), strict=True):
        position = source_of(dead_letter)
        assert row["source"] == f"{rejected.settings.topics.input}/{position[0]}@{position[1]}"
        assert row["attempt"] == 1
        value = dead_letter.value()
        assert row["value"] == (None if value is None else value.decode(errors="replace"))
    table = rejected.run("dead-letters list").out
    assert table.splitlines()[0].split() == ["offset", "tries", "source", "what", "is", "wrong"]
    assert "gender: is missing" in table


def test_hint_can_be_pasted(new_flow: NewFlow) -> None:
    """The command that a batch ends with repeats what says where the dead letters are."""
    flow = new_flow("hint")
    topics = flow.settings.topics
    flow.send([Sent(b"x", KEY)])
    plain = flow.folder / "it's plain.yaml"
    sections = yaml.safe_load(flow.config.read_text())
    del sections["topics"]
    plain.write_text(yaml.safe_dump(sections))
    where = [
        *("--topic", topics.input, "--output-topic", topics.output),
        *("--deadletter-topic", topics.deadletter, "--config", plain),
        *("-X", "client.id=me and you", "-X", "sasl.password=geheim"),
    ]

    ran = churnstream("consume", "--mode", "batch", *where)

    assert ran.code == 0, ran.err
    said = ran.out.splitlines()[-1]
    assert "geheim" not in said
    words = shlex.split(said.partition("look with: ")[2])
    assert words[:3] == ["churnstream", "dead-letters", "list"]
    again = churnstream(*words[1:])
    assert again.code == 0, again.err
    assert "is not JSON" in again.out


def test_dead_letters_filters(rejected: Flow) -> None:
    """Reason, time and offset narrow the list; a limit cuts it and says how many it left out."""
    rows = listed(rejected)
    wanted = [row for row in rows if row["reason"] in ("empty", "missing_field")]
    assert listed(rejected, "--reason", "empty", "--reason", "missing_field") == wanted
    assert listed(rejected, "--offset", 3, "--offset", 5) == [rows[3], rows[5]]
    moment = rows[0]["failed_at"][:19]
    assert listed(rejected, "--since", moment) == rows
    assert listed(rejected, "--until", moment) == []
    cut = rejected.run("dead-letters list", "--limit", 4)
    assert cut.err == f"{len(rows) - 4} more; see --limit\n"
    assert rejected.run("dead-letters list", "--until", moment).err == "no dead letters\n"


def test_unknown_reason(rejected: Flow) -> None:
    """A reason that does not exist is wrong use, and the message lists those that do."""
    ran = rejected.run("dead-letters list", "--reason", "bad_luck")
    assert ran.code == 2
    assert "'bad_luck' is none of duplicate_field, empty, " in ran.error


def test_replay(flow: Flow) -> None:
    """A replayed record that fails again is rejected a second time, without piled-up headers."""
    headers = [("trace", b"1"), ("none", None)]
    flow.send([Sent(b"broken", KEY, 1, headers, 1_234_567_890_123), Sent(b"", KEY, 1, headers)])
    flow.consume()

    def replay(*flags: str) -> Ran:
        return flow.run("dead-letters replay", "--reason", "not_json", *flags)

    assert replay("--dry-run").out == "1 dead letters would be sent back\n"
    assert replay().out == "1 dead letters sent back\n"
    assert replay().out == "0 dead letters sent back\n"
    assert len(flow.events()) == 3
    assert flow.consume().messages_read == 1

    first, _, again = flow.dead_letters()
    assert again.value() == b"broken"
    assert again.key() == KEY
    for dead_letter in (first, again):
        assert headers_of(dead_letter)["churnstream.timestamp"] == "1234567890123"
    names = [name for name, _ in raw_headers(again)]
    assert names == [name for name, _ in raw_headers(first)]
    assert raw_headers(again)[:2] == headers
    assert headers_of(first)["churnstream.attempt"] == "1"
    assert headers_of(again)["churnstream.attempt"] == "2"
    assert source_of(again) != source_of(first)
    assert replay("--dry-run").out == "1 dead letters would be sent back\n"


def test_replay_of_others(flow: Flow) -> None:
    """A replay of one reason leaves the others for a later one, and is not fooled by strangers."""
    values = [b"broken", b"", event_json()]
    flow.send([Sent(value) for value in values])
    flow.consume()
    flow.send([Sent(b"a stranger")], flow.settings.topics.deadletter)
    assert flow.run("dead-letters replay", "--reason", "empty").out == "1 dead letters sent back\n"
    assert Counter(map(value_of, flow.events())) == Counter([*values, b""])
    assert flow.run("dead-letters replay").out == "2 dead letters sent back\n"
    assert Counter(map(value_of, flow.events())) == Counter(values * 2)


@pytest.mark.parametrize(
    "command",
    [
        "produce",
        "produce --mode batch",
        "consume",
        "consume --mode batch",
        "report",
        "topics describe",
        "dead-letters list",
    ],
)
def test_topic_missing(flow: Flow, command: str) -> None:
    """A topic that does not exist gets one line that says how to create it, and exit code 1."""
    ran = flow.run(command, "--topic", "none", "--deadletter-topic", "none.letters")
    assert ran.code == 1
    assert ran.error.startswith("no topic none")
    assert ran.error.endswith("; run: churnstream topics create")


@pytest.mark.parametrize(
    "command",
    [
        "produce",
        "produce --mode batch",
        "consume",
        "consume --mode batch",
        "report",
        "topics create",
        "topics describe",
        "dead-letters list",
        "dead-letters replay",
    ],
)
def test_no_broker(
    flow: Flow, free_address: str, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A broker that does not answer gets one line that says where it was sought, and code 1."""
    monkeypatch.setenv("CHURNSTREAM_KAFKA__STARTUP_TIMEOUT", "0.2")
    ran = flow.run(command, "--broker", free_address)
    assert ran.code == 1
    assert ran.error.startswith(f"no broker answered at {free_address} within 0.2 s; ")


def test_health_without_broker(
    flow: Flow, free_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a broker health still answers in JSON, and is bad."""
    monkeypatch.setenv("CHURNSTREAM_KAFKA__STARTUP_TIMEOUT", "0.2")
    ran = flow.run("health", "--broker", free_address)
    assert ran.code == 1
    (problem,) = json.loads(ran.out)["problems"]
    assert problem.startswith(f"no broker answered at {free_address}")


def test_streaming(flow: Flow) -> None:
    """Streaming sends so many events of random customers, the same ones for the same seed."""
    topic = flow.settings.topics.input

    def sent(seed: int) -> list[dict[str, Any]]:
        before = {position_of(record) for record in flow.events()}
        flags = ("--max-events", 300, "--events-per-sec", 5000, "--seed", seed)
        assert flow.run("produce", *flags).out == f"300 events sent to {topic}\n"
        new = [json.loads(value_of(r)) for r in flow.events() if position_of(r) not in before]
        return sorted(new, key=itemgetter("customerID"))

    begin = datetime.now(UTC)
    first, again, other = sent(1), sent(1), sent(2)
    assert len(first) == len(again) == len(other) == 300
    moments = [datetime.fromisoformat(event.pop("event_ts")) for event in first + again + other]
    assert begin <= min(moments) <= max(moments) <= datetime.now(UTC)
    assert first == again != other


def test_model_missing(flow: Flow, tmp_path: Path) -> None:
    """A consumer without a model says how to get one."""
    ran = flow.run("consume", "--model", tmp_path)
    assert ran.code == 1
    assert ran.error == f"no model in {tmp_path}; run: churnstream train"


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo scores every customer of its file, sets the broken records aside, and says so."""
    monkeypatch.chdir(tmp_path)
    write_customers(tmp_path / "some.csv", 700)
    ran = churnstream("demo", "--dataset", "some.csv")
    assert ran.code == 0, ran.err
    broken = len(broken_records(TELCO, customer()))
    summary = json.loads((tmp_path / "reports/summary.json").read_bytes())
    assert (summary["scored"], summary["dead_lettered"]) == (700, broken)
    assert summary["messages_read"] == 700 + broken
    dead_letters = (tmp_path / "reports/dead-letters.jsonl").read_text().splitlines()
    assert len(dead_letters) == broken
    assert "dead letters are in telco.deadletter" in ran.out.splitlines()[-1]
