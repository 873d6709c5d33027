"""The command as a process: killed, stopped, started again, and without a broker."""

import json
import random
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from integration.flow import (
    SCALE,
    Flow,
    Process,
    Tail,
    customer_id,
    error_in,
    position_of,
    scaled_timeout,
    until,
    write_customers,
)

STOPS_WITHIN = 5.0
EVENTS = 40_000 * SCALE
KILLS = 2 * SCALE


def moments() -> list[int]:
    """For each kill how much must be done before it, in ascending order.

    In the first half: what is left takes longer than it takes to notice that it is time.
    """
    seed = random.randrange(2**32)
    print(f"moments by seed {seed}")  # noqa: T201  # shown if the test fails
    return sorted(random.Random(seed).sample(range(1, EVENTS // 2), KILLS))


def keys(flow: Flow) -> Counter[bytes]:
    """How often each customer is in the input topic."""
    return Counter(record.key() or b"" for record in flow.events())


def stop(*processes: Process, by: int = signal.SIGTERM) -> None:
    """Send a signal to running processes, which must end with exit code 0 in time."""
    for process in processes:
        assert process.popen.poll() is None, process.err
        process.popen.send_signal(by)
    until(lambda: all(process.popen.poll() is not None for process in processes), STOPS_WITHIN)
    assert [process.popen.returncode for process in processes] == [0] * len(processes)


def test_producers_side_by_side(flow: Flow) -> None:
    """Two files sent at once from one folder: each row once, and both are known to be sent."""
    paths = [flow.folder / f"{name}.csv" for name in ("one", "other")]
    for path, rows in zip(paths, (10_000, 9_000), strict=True):
        write_customers(path, rows)
    command = "produce --mode batch --json --batch-size 100"
    with (
        flow.process(command, "--dataset", paths[0]) as one,
        flow.process(command, "--dataset", paths[1]) as other,
    ):
        assert [one.wait(), other.wait()] == [0, 0], one.err + other.err
    assert sorted(keys(flow).values()) == [1] * 1000 + [2] * 9000

    for path, rows in zip(paths, (10_000, 9_000), strict=True):
        again = json.loads(flow.run(command, "--dataset", path).out)
        assert (again["rows"], again["sent"]) == (rows, 0)
        assert again in [json.loads(ran.out) | {"sent": 0} for ran in (one, other)]


def test_the_same_file_twice_at_once(flow: Flow) -> None:
    """Who comes second ends with one line and sends nothing; the first goes on to the end."""
    path = flow.folder / "many.csv"
    write_customers(path, EVENTS)
    flags = ("produce --mode batch --batch-size 100", "--dataset", path)
    with (
        Tail(flow.settings.kafka.brokers, flow.settings.topics.input) as events,
        flow.process(*flags) as first,
    ):
        events.wait_for(1)
        second = flow.run(*flags)
        assert second.code == 1
        assert second.error.startswith("another process is sending the same file to the same")
        assert first.wait() == 0, first.err
    assert set(keys(flow).values()) == {1}


def test_consumer_killed(flow: Flow) -> None:
    """A consumer that is killed at any moment loses no event, and repeats a batch at most."""
    write_customers(flow.folder / "many.csv", EVENTS)
    flow.run("produce --mode batch", "--dataset", flow.folder / "many.csv")
    batch = 1000
    with Tail(flow.settings.kafka.brokers, flow.settings.topics.output) as predictions:
        for moment in moments():
            with flow.process("consume --mode batch", "--batch-size", batch) as consumer:
                predictions.wait_for(moment)
                assert consumer.popen.poll() is None, consumer.err
                consumer.popen.kill()
                consumer.wait()
    flow.consume()
    outcomes = flow.outcomes()
    assert set(outcomes) == set(map(position_of, flow.events()))
    assert outcomes.total() - EVENTS <= KILLS * batch


def test_producer_killed(flow: Flow) -> None:
    """A producer that is killed and resumed loses no row, and repeats one batch a kill at most."""
    path = flow.folder / "many.csv"
    write_customers(path, EVENTS)
    batch = 100
    flags = ("--dataset", path, "--batch-size", batch)
    with Tail(flow.settings.kafka.brokers, flow.settings.topics.input) as events:
        for moment in moments():
            with flow.process("produce --mode batch", *flags) as producer:
                events.wait_for(moment)
                assert producer.popen.poll() is None, producer.err
                producer.popen.kill()
                producer.wait()
    rest = flow.run("produce --mode batch", *flags)
    assert rest.code == 0
    assert "sent by earlier runs" in rest.out
    sent = keys(flow)
    assert set(sent) == {customer_id(number).encode() for number in range(EVENTS)}
    assert sent.total() - EVENTS <= KILLS * batch
    again = flow.run("produce --mode batch", *flags)
    assert again.out.startswith(f"nothing left to send: all {EVENTS:,} rows of many.csv were sent")


def test_stopped(flow: Flow) -> None:
    """Producer and consumer leave within 5 s of a SIGTERM, busy or idle, and nothing is lost."""
    topics = flow.settings.topics
    with (
        flow.process("consume") as consumer,
        flow.process("produce --events-per-sec 500") as producer,
        Tail(flow.settings.kafka.brokers, topics.output) as predictions,
    ):
        predictions.wait_for(500 * SCALE)
        stop(producer, consumer)
        sent = len(flow.events())
        assert producer.out == f"{sent:,} events sent to {topics.input}\n"
        scored = len(flow.predictions())
        assert consumer.out == f"{scored:,} scored, 0 dead letters\n"

    with flow.process("consume") as consumer:
        until(lambda: consumer.says("partitions_assigned"))
        until(lambda: flow.outcomes().total() == sent)
        stop(consumer)
        assert consumer.out == f"{sent - scored:,} scored, 0 dead letters\n"
    assert set(flow.outcomes()) == set(map(position_of, flow.events()))
    assert len(flow.outcomes()) == sent


def test_stopped_while_waiting(flow: Flow) -> None:
    """A consumer that still joins, and a producer whose next event is far off, leave at once."""
    with (
        flow.process("consume") as consumer,
        flow.process("produce --events-per-sec 0.01") as producer,
    ):
        until(lambda: consumer.says("consumer_started"))
        until(lambda: len(flow.events()) == 1)
        stop(consumer, producer, by=signal.SIGINT)
        assert consumer.out == "0 scored, 0 dead letters\n"


def test_stopped_batch(flow: Flow) -> None:
    """A batch producer that is stopped says so, and the next run sends the rest."""
    path = flow.folder / "many.csv"
    write_customers(path, EVENTS)
    with (
        flow.process("produce --mode batch", "--dataset", path, "--batch-size", 50) as producer,
        Tail(flow.settings.kafka.brokers, flow.settings.topics.input) as events,
    ):
        events.wait_for(1000)
        stop(producer)
    sent = len(flow.events())
    stopped_at = f"{sent:,} rows of many.csv sent to {flow.settings.topics.input}"
    assert producer.out == f"{stopped_at}; stopped, run it again to send the rest\n"
    rest = flow.run("produce --mode batch", "--dataset", path)
    assert rest.out.startswith(f"{EVENTS - sent:,} rows of many.csv sent")
    assert keys(flow) == Counter(customer_id(number).encode() for number in range(EVENTS))


def test_finished_file(flow: Flow) -> None:
    """A finished file is not sent again, but with --no-resume, or when its content is another."""
    path = flow.folder / "some.csv"
    write_customers(path, 250)
    topic = flow.settings.topics.input

    def produce(*flags: str) -> str:
        ran = flow.run("produce --mode batch", "--dataset", path, *flags)
        assert (ran.code, ran.err) == (0, "")
        return ran.out

    assert produce() == f"250 rows of some.csv sent to {topic}\n"
    assert produce() == (
        f"nothing left to send: all 250 rows of some.csv were sent to {topic} before; "
        "send them again with --no-resume\n"
    )
    assert keys(flow).total() == 250
    assert produce("--no-resume") == f"250 rows of some.csv sent to {topic}\n"
    assert set(keys(flow).values()) == {2}

    write_customers(path, 300)
    assert produce() == f"300 rows of some.csv sent to {topic}\n"
    assert keys(flow).total() == 250 + 250 + 300
    assert produce().startswith("nothing left to send: all 300 rows")
    write_customers(path, 250)
    assert produce().startswith("nothing left to send: all 250 rows")


def test_no_broker(flow: Flow, free_address: str) -> None:
    """Without a broker a command gives up within 15 s, with one line and exit code 1."""
    began = time.monotonic()
    with flow.process("topics describe", "--broker", free_address) as process:
        assert process.wait() == 1
    assert time.monotonic() - began < scaled_timeout(15)
    assert error_in(process.err).startswith(f"no broker answered at {free_address} within 10 s; ")
    assert process.out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    ("command", "ready", "code"),
    [("broker --port 0", "broker ready at", 0), ("demo", "topics created", 1)],
)
def test_broker_is_stopped(
    tmp_path: Path, number: int, command: str, ready: str, code: int
) -> None:
    """A command that started a broker stops it when it is interrupted."""
    with Process(tmp_path, *command.split()) as process:
        until(lambda: process.says(ready))
        (broker,) = psutil.Process(process.popen.pid).children()
        process.popen.send_signal(number)
        assert process.wait(STOPS_WITHIN) == code
    left_behind = broker.is_running()
    if left_behind:
        broker.kill()
    assert not left_behind
