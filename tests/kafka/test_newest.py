"""The topic of newest predictions: written together with the predictions, exactly once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import pytest
from chaos.crew import Crew
from chaos.flow import SESSION, Flow
from chaos.watch import until
from test_topic_rules import configure, now, send_stamped

pytest_plugins = ["chaos.fixtures"]


@pytest.fixture
def newest(flow: Flow) -> Iterator[str]:
    """Its name; the flow's commands know it."""
    name = flow.environment["CHURNSTREAM_TOPICS__NEWEST"] = f"{flow.group}.newest"
    assert f"{name}: created" in flow.run("topics", "create").output
    yield name
    del flow.environment["CHURNSTREAM_TOPICS__NEWEST"]


def last_by_key(flow: Flow, topic: str) -> dict[bytes | None, bytes | None]:
    """The last value of each key, which always lies in one partition."""
    return {record.key(): record.value() for record in flow.watch.read(topic)}


def has_more_than(flow: Flow, count: int) -> bool:
    """Whether there are more predictions."""
    return flow.watch.length(flow.output) > count


@pytest.mark.parametrize("delivery", ["exactly-once", "at-least-once"])
def test_the_newest_of_every_customer_is_the_last_prediction(
    flow: Flow, newest: str, delivery: str
) -> None:
    """Consumers that are killed and others that come change nothing about it."""
    crew = Crew(flow, *SESSION, "--delivery", delivery, "--batch-size", "50")
    crew.start_and_wait(0)
    producer = flow.produce(1000)
    for number in (1, 2):
        enough = flow.watch.length(flow.output) + 500
        until(partial(has_more_than, flow, enough), 60, "more is scored")
        assert crew.kill(number - 1)
        crew.start(number)
    time.sleep(1)
    producer.stop()
    crew.finish()

    assert crew.problems == []
    made, kept = last_by_key(flow, flow.output), last_by_key(flow, newest)
    assert len(made) > 500
    assert kept == made
    if delivery == "exactly-once":
        assert flow.audit().exactly_once
        assert len([*flow.watch.read(newest)]) == len([*flow.watch.read(flow.output)])


def test_a_policy_that_loses_customers_is_told_with_what_mends_it(flow: Flow, newest: str) -> None:
    """In one line at the consumer's start, which goes on all the same."""
    configure(flow, newest, cleanup_policy="delete")
    send_stamped(flow, now())

    log = flow.run_batch().log

    (line,) = (line for line in log.splitlines() if "newest_not_compacted" in line)
    assert f"--entity-name {newest} --add-config cleanup.policy=compact" in line
    assert len(last_by_key(flow, newest)) == len(last_by_key(flow, flow.output))
    configure(flow, newest, cleanup_policy="compact")
    assert "newest_not_compacted" not in flow.run_batch().log


def test_it_is_a_topic_of_the_flow(flow: Flow, newest: str) -> None:
    """It has as many partitions as the predictions' topic, is described, and missed."""
    described = flow.run("topics", "describe", "--json").output
    assert described.count(f'"{newest}"') == len(flow.watch.partitions(flow.output))

    missing = flow.environment["CHURNSTREAM_TOPICS__NEWEST"] = f"{newest}.other"
    process = flow.run("consume", "--mode", "batch", "--model", str(flow.model), code=1)

    assert process.last_words == f"Error: no topic {missing}; run: churnstream topics create"


def test_its_limit_counts_for_predictions_too(flow: Flow, newest: str) -> None:
    """Batches fit into the one of the two topics that takes less."""
    configure(flow, newest, max_message_bytes="4000")
    flow.run("produce", "--mode", "batch")

    flow.run_batch()

    assert flow.audit().complete
    assert last_by_key(flow, newest) == last_by_key(flow, flow.output)
