"""Scenarios of processes: what is killed, stopped or paused, and what the topics hold afterwards.

Each works with the product's own timeouts, so that its outages are those of a user.
"""

from __future__ import annotations

import signal
import time
from random import Random

from cluster import Cluster

from chaos.crew import Crew
from chaos.flow import Flow
from chaos.judge import Outcome, Sent, judge
from chaos.progress import expect_success, sent, wait_at_work, wait_flowing
from chaos.records import BrokenRecords, customers_file
from chaos.watch import until

_EVENTS = 5_000  # for each kill
_ROWS = 3_300  # for each interruption
# Small batches make many transactions, so that most of a consumer's time passes inside one.
_SMALL = ("--batch-size", "100")


def consumers_killed(cluster: Cluster, flow: Flow, random: Random, *, faults: int) -> Outcome:
    """Three consumers; a random one is killed again and again, and started again."""
    crew = Crew(flow)
    crew.start_and_wait(0, 1, 2)
    events = _EVENTS * faults
    broken, seconds = events // 100, faults * 5.5
    rate = (events - broken) / seconds
    producer = flow.produce(rate, "--max-events", str(events - broken))
    pace = seconds / broken
    with BrokenRecords(flow, random, every=pace, most=broken) as dead_letters:
        killed = 0
        for _ in range(faults):
            time.sleep(random.uniform(2, 7))
            victim = random.randrange(3)
            killed += crew.kill(victim)
            time.sleep(random.uniform(0, 1))
            crew.start(victim)
            crew.revive()
        producer.wait(300)
        positions = dead_letters.finish()
    crew.finish()
    return judge(flow, crew, killed, Sent(streamed=sent(producer), broken=positions))


def taken_over(cluster: Cluster, flow: Flow, random: Random, *, faults: int) -> Outcome:
    """A consumer is killed and does not come back: the other one takes its partitions over."""
    crew = Crew(flow, *_SMALL)
    crew.start_and_wait(0, 1)
    producer = flow.produce(500)
    for number in range(faults):
        time.sleep(random.uniform(1, 4))
        crew.kill(number)
        flow.wait_owned(1)
        wait_flowing(flow)
        crew.start_and_wait(number + 2)
    producer.stop()
    crew.finish()
    expect_success(crew, producer)
    return judge(flow, crew, faults, Sent(streamed=sent(producer)))


def producer_killed(cluster: Cluster, flow: Flow, random: Random, *, faults: int) -> Outcome:
    """A producer of a file, killed and stopped again and again, and started again."""
    file = customers_file(flow.folder / "customers.csv", _ROWS * faults, random, flow.customers)
    crew = Crew(flow)
    crew.start_and_wait(0)
    kills = faults - faults // 3
    signals = [signal.SIGKILL] * kills + [signal.SIGTERM] * (faults // 3)
    random.shuffle(signals)
    interrupted = 0
    for number in signals:
        producer = flow.produce_file(file.path, "--batch-size", "10")
        wait_at_work(flow, producer)
        time.sleep(random.uniform(0, 0.3))
        interrupted += producer.code is None
        crew.note_fault()
        if number == signal.SIGKILL:
            producer.kill()
        elif producer.stop() > 5 or producer.code != 0:
            crew.problems.append(f"{producer.name}: exit code {producer.code} after SIGTERM")
    flow.run("produce", "--mode", "batch", "--dataset", str(file.path))
    crew.finish()
    if interrupted < len(signals):
        crew.problems.append("the file was finished before every interruption had come")
    return judge(flow, crew, interrupted, Sent(file))


def scaled(cluster: Cluster, flow: Flow, random: Random, *, faults: int) -> Outcome:
    """One consumer, then three, then one again, while events flow."""
    crew = Crew(flow)
    crew.start_and_wait(0)
    producer = flow.produce(500)
    with BrokenRecords(flow, random, every=1 / 5) as dead_letters:
        for _ in range(faults // 2):
            crew.note_fault()
            crew.start_and_wait(1, 2)
            time.sleep(random.uniform(0, 3))
            crew.note_fault()
            crew.stop(*random.sample([1, 2], 2))
            flow.wait_owned(1)
            time.sleep(random.uniform(0, 2))
            crew.revive()
        producer.stop()
        positions = dead_letters.finish()
    crew.finish()
    expect_success(crew, producer)
    return judge(flow, crew, faults, Sent(streamed=sent(producer), broken=positions))


def zombies(cluster: Cluster, flow: Flow, random: Random, *, faults: int) -> Outcome:
    """A consumer sleeps past its session and wakes up after another took its partitions over."""
    crew = Crew(flow, *_SMALL)
    crew.start_and_wait(0, 1)
    producer = flow.produce(1000)
    for _ in range(faults):
        time.sleep(random.uniform(1, 3))
        sleeper = random.randrange(2)
        crew.note_fault()
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
    return judge(flow, crew, faults, Sent(streamed=sent(producer)), remark)


def rivals(cluster: Cluster, flow: Flow, random: Random, *, faults: int) -> Outcome:
    """Two producers of the same file at once: one is fenced, and the next rival comes."""
    rows = 4 * _ROWS * (faults + 1)
    file = customers_file(flow.folder / "customers.csv", rows, random, flow.customers)
    crew = Crew(flow)
    crew.start_and_wait(0)
    working = [flow.produce_file(file.path)]
    for _ in range(faults):
        working.append(flow.produce_file(file.path))
        until(lambda: any(p.code is not None for p in working), 60, "one of two rivals has ended")
        crew.note_fault()
        for loser in [p for p in working if p.code is not None]:
            working.remove(loser)
            if loser.code != 1 or "a newer process" not in loser.last_words:
                crew.problems.append(f"{loser.name}: {loser.code}: {loser.last_words}")
    for winner in working:
        winner.wait(120)
    expect_success(crew, *working)
    crew.finish()
    return judge(flow, crew, faults, Sent(file))
