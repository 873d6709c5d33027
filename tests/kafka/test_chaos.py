"""The scenarios of `make chaos` in their small sizes."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from chaos import scenarios
from chaos.catalogue import SCENARIOS
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
        cluster, topic_prefix, seed=_SEED, quick=True, folder=tmp_path, model=trained
    )
    assert outcome.problems == []
    assert outcome.is_clean, outcome


def test_every_scenario_has_a_number() -> None:
    """What `make chaos` does not list is never played."""
    written = {
        function
        for name, function in vars(scenarios).items()
        if inspect.isfunction(function)
        and function.__module__ == scenarios.__name__
        and not name.startswith("_")
    }
    assert written == {scenario.play for scenario in SCENARIOS.values()}
