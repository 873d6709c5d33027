"""The scenarios of `make chaos` in their small sizes."""

from __future__ import annotations

import csv
import inspect
from pathlib import Path
from random import Random

import pytest
from chaos import broker_scenarios, scenarios
from chaos.catalogue import SCENARIOS
from chaos.customers import Customers, customers_of
from chaos.flow import train
from chaos.processes import Process
from cluster import Cluster

pytest_plugins = ["chaos.fixtures"]

_SEED = 4  # decides when and what is killed


@pytest.mark.parametrize("number", SCENARIOS)
def test_every_event_has_one_outcome(
    number: int, request: pytest.FixtureRequest, trained: Path, tmp_path: Path, topic_prefix: str
) -> None:
    """Whatever is killed, paused or scaled: audit finds nothing lost, doubled or left waiting."""
    scenario = SCENARIOS[number]
    cluster: Cluster = request.getfixturevalue(
        "kafka_cluster" if scenario.nodes == 1 else "kafka_cluster3"
    )
    outcome = scenario.run(
        cluster, topic_prefix, seed=_SEED, faults=scenario.quick, folder=tmp_path, model=trained
    )
    assert outcome.problems == []
    assert outcome.is_clean, outcome


def test_every_scenario_has_a_number() -> None:
    """What `make chaos` does not list is never played."""
    written = {
        function
        for module in (scenarios, broker_scenarios)
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }
    assert written == {scenario.play for scenario in SCENARIOS.values()}


def test_customers_of_another_shape(
    kafka_cluster: Cluster, tmp_path: Path, topic_prefix: str
) -> None:
    """What holds for the bundled customers holds for those of any schema."""
    customers = _bank(tmp_path)
    outcome = SCENARIOS[1].run(
        kafka_cluster,
        topic_prefix,
        seed=_SEED,
        faults=2,
        folder=tmp_path,
        model=train(tmp_path, customers),
        customers=customers,
    )
    assert outcome.problems == []
    assert outcome.is_clean, outcome


def _bank(folder: Path) -> Customers:
    """A bank's customers, in a file as `init` finds it."""
    random = Random(5)
    with (folder / "bank.csv").open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["CustomerId", "Age", "Country", "Balance", "HasCard", "Exited"])
        for number in range(600):
            age, country = random.randint(18, 90), random.choice(["France", "Spain", "Germany"])
            balance = round(random.gammavariate(2, 900), 2) if random.random() < 0.7 else ""
            left = int(random.random() < age / 150)
            writer.writerow([15_000_000 + number, age, country, balance, number % 2, left])
    Process(folder, "init", "init", "bank.csv", environment={}).wait(60)
    return customers_of(folder / "customers.yaml")
