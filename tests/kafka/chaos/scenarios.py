"""One function a scenario: what is broken, how often, and what the topics hold afterwards."""

from __future__ import annotations

import re
import signal
import time
from random import Random

from cluster import Cluster

from chaos.crew import Crew
from chaos.flow import SESSION, Flow
from chaos.judge import Outcome, Sent, judge
from chaos.processes import Process
from chaos.records import BrokenRecords, customers_file
from chaos.watch import until

_PARTITIONS = 3
# Small batches make many transactions, so that most of a consumer's time passes inside one.
_SMALL = ("--batch-size", "100")


def consumers_killed(
    cluster: Cluster, flow: Flow, random: Random, *, events: int, kills: int
) -> Outcome:
    """Three consumers; a random one is killed again and again, and started again."""
    crew = Crew(flow, *SESSION)
    crew.start_and_wait(0, 1, 2)
    broken, seconds = events // 100, kills * 5.5
    rate = (events - broken) / seconds
    producer = flow.produce(rate, "--max-events", str(events - broken))
    pace = seconds / broken
    with BrokenRecords(flow, random, every=pace, most=broken) as dead_letters:
        killed = 0
        for _ in range(kills):
            time.sleep(random.uniform(2, 7))
            victim = random.randrange(3)
            killed += crew.kill(victim)
            time.sleep(random.uniform(0, 1))
            crew.start(victim)
            crew.revive()
        producer.wait(300)
        positions = dead_letters.finish()
    crew.finish()
    return judge(flow, crew, killed, Sent(streamed=_sent(producer), broken=positions))


def producer_killed(
    cluster: Cluster, flow: Flow, random: Random, *, rows: int, kills: int, stops: int
) -> Outcome:
    """A producer of a file, killed and stopped again and again, and started again."""
    file = customers_file(flow.folder / "customers.csv", rows, random, flow.customers)
    crew = Crew(flow, *SESSION)
    crew.start_and_wait(0)
    signals = [signal.SIGKILL] * kills + [signal.SIGTERM] * stops
    random.shuffle(signals)
    interrupted = 0
    for number in signals:
        producer = flow.produce_file(file.path, "--batch-size", "10")
        _wait_at_work(flow, producer)
        time.sleep(random.uniform(0, 0.3))
        interrupted += producer.code is None
        if number == signal.SIGKILL:
            producer.kill()
        elif producer.stop() > 5 or producer.code != 0:
            crew.problems.append(f"{producer.name}: exit code {producer.code} after SIGTERM")
    flow.run("produce", "--mode", "batch", "--dataset", str(file.path))
    crew.finish()
    if interrupted < len(signals):
        crew.problems.append("the file was finished before every interruption had come")
    return judge(flow, crew, interrupted, Sent(file))


def brokers_killed(cluster: Cluster, flow: Flow, random: Random, *, rounds: int) -> Outcome:
    """Three nodes; each round kills the leader of a partition and a transaction coordinator."""
    file = customers_file(flow.folder / "customers.csv", 3_000 * rounds, random, flow.customers)
    crew = Crew(flow, *SESSION)
    crew.start_and_wait(0, 1)
    producer, of_file = flow.produce(300), flow.produce_file(file.path, "--batch-size", "5")
    with BrokenRecords(flow, random, every=1 / 3) as dead_letters:
        for _ in range(rounds):
            leader = flow.watch.leader(flow.input, random.randrange(_PARTITIONS))
            _kill_and_restart(cluster, flow, leader, random)
            identity = f"churnstream.{flow.group}.{random.randrange(2)}"
            _kill_and_restart(cluster, flow, flow.watch.coordinator(identity), random)
            crew.revive()
        of_file.wait(120)
        producer.stop()
        positions = dead_letters.finish()
    crew.finish()
    _expect_success(crew, producer, of_file)
    return judge(flow, crew, 2 * rounds, Sent(file, _sent(producer), positions))


def scaled(cluster: Cluster, flow: Flow, random: Random, *, rounds: int) -> Outcome:
    """One consumer, then three, then one again, while events flow."""
    crew = Crew(flow, *SESSION)
    crew.start_and_wait(0)
    producer = flow.produce(500)
    with BrokenRecords(flow, random, every=1 / 5) as dead_letters:
        for _ in range(rounds):
            crew.start_and_wait(1, 2)
            time.sleep(random.uniform(0, 3))
            crew.stop(*random.sample([1, 2], 2))
            flow.wait_owned(1)
            time.sleep(random.uniform(0, 2))
            crew.revive()
        producer.stop()
        positions = dead_letters.finish()
    crew.finish()
    _expect_success(crew, producer)
    return judge(flow, crew, 2 * rounds, Sent(streamed=_sent(producer), broken=positions))


def zombies(cluster: Cluster, flow: Flow, random: Random, *, rounds: int) -> Outcome:
    """A consumer sleeps past its session and wakes up after another took its partitions over."""
    crew = Crew(flow, *SESSION, *_SMALL, "-X", "transaction.timeout.ms=10000")
    crew.start_and_wait(0, 1)
    producer = flow.produce(1000)
    for _ in range(rounds):
        time.sleep(random.uniform(1, 3))
        sleeper = random.randrange(2)
        crew.send(sleeper, signal.SIGSTOP)
        flow.wait_owned(1)
        time.sleep(random.uniform(0, 5))
        crew.send(sleeper, signal.SIGCONT)
        time.sleep(1)
        crew.revive()
        flow.wait_owned(2)
    producer.stop()
    crew.finish()
    remark = f"{crew.said('batch_rolled_back')} transactions came too late and were rolled back"
    return judge(flow, crew, rounds, Sent(streamed=_sent(producer)), remark)


def broker_paused(cluster: Cluster, flow: Flow, random: Random, *, seconds: int) -> Outcome:
    """The only broker freezes with its connections open, and goes on after a while."""
    file = customers_file(flow.folder / "customers.csv", 300 * seconds, random, flow.customers)
    crew = Crew(flow, *SESSION)
    crew.start_and_wait(0, 1)
    producer, of_file = flow.produce(500), flow.produce_file(file.path, "--batch-size", "10")
    _wait_at_work(flow, of_file)
    cluster.pause(1)
    time.sleep(seconds)
    cluster.resume(1)
    of_file.wait(120)
    producer.stop()
    crew.finish()
    _expect_success(crew, producer, of_file)
    return judge(flow, crew, 1, Sent(file, _sent(producer)))


def rivals(cluster: Cluster, flow: Flow, random: Random, *, rows: int, rounds: int) -> Outcome:
    """Two producers of the same file at once: one is fenced, and the next rival comes."""
    file = customers_file(flow.folder / "customers.csv", rows, random, flow.customers)
    crew = Crew(flow, *SESSION)
    crew.start_and_wait(0)
    working = [flow.produce_file(file.path)]
    for _ in range(rounds):
        working.append(flow.produce_file(file.path))
        until(lambda: any(p.code is not None for p in working), 60, "one of two rivals has ended")
        for loser in [p for p in working if p.code is not None]:
            working.remove(loser)
            if loser.code != 1 or "a newer process" not in loser.last_words:
                crew.problems.append(f"{loser.name}: {loser.code}: {loser.last_words}")
    for winner in working:
        winner.wait(120)
    _expect_success(crew, *working)
    crew.finish()
    return judge(flow, crew, rounds, Sent(file))


def _wait_at_work(flow: Flow, producer: Process) -> None:
    """Wait until a producer has committed something, or has ended."""
    before = flow.watch.length(flow.input)

    def at_work() -> bool:
        return producer.code is not None or flow.watch.length(flow.input) > before

    until(at_work, 60, f"{producer.name} sends")


def _kill_and_restart(cluster: Cluster, flow: Flow, node: int, random: Random) -> None:
    cluster.kill(node)
    time.sleep(random.uniform(2, 6))
    cluster.restart(node)
    until(flow.watch.is_whole, 90, "every replica is in sync")
    time.sleep(random.uniform(0, 2))


def _sent(producer: Process) -> int:
    """How many events a streaming producer says it has sent."""
    said = re.match(r"([\d,]+) events sent", producer.output)
    return int(said[1].replace(",", "")) if said else 0


def _expect_success(crew: Crew, *producers: Process) -> None:
    for producer in producers:
        if producer.code != 0:
            crew.problems.append(f"{producer.name}: {producer.code}: {producer.last_words}")
