"""The scenarios by their number, with their sizes in full and in quick runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

from cluster import Cluster

from chaos import scenarios
from chaos.customers import Customers
from chaos.flow import Flow
from chaos.judge import Outcome


class Scenario(NamedTuple):
    """A scenario and its sizes.

    Attributes:
        title: For the table.
        play: The function.
        full: Its sizes.
        quick: Its sizes where minutes matter.
        limit: Seconds after which it is given up.
        nodes: How many brokers it wants.
    """

    title: str
    play: Callable[..., Outcome]
    full: Mapping[str, int]
    quick: Mapping[str, int]
    limit: int
    nodes: int = 1

    def run(
        self,
        cluster: Cluster,
        name: str,
        *,
        seed: int,
        quick: bool,
        folder: Path,
        model: Path,
        customers: Customers | None = None,
    ) -> Outcome:
        """Play it on topics of its own.

        Args:
            cluster: Brokers for it, as many as it wants.
            name: Of its topics and its group.
            seed: Decides when and what is killed.
            quick: In its small size.
            folder: Where its processes write.
            model: What they score with.
            customers: Whose events pass; None: the bundled ones.
        """
        sizes = self.quick if quick else self.full
        with Flow(
            cluster.bootstrap_servers,
            name,
            folder=folder,
            model=model,
            copies=self.nodes,
            customers=customers,
        ) as flow:
            outcome = self.play(cluster, flow, Random(f"{seed} {self.title}"), **sizes)
            if not outcome.is_clean:
                flow.tell_last_lines()
            return outcome


SCENARIOS: dict[int, Scenario] = {
    1: Scenario(
        "three consumers, kill -9 of a random one",
        scenarios.consumers_killed,
        full={"events": 100_000, "kills": 20},
        quick={"events": 5_000, "kills": 2},
        limit=300,
    ),
    2: Scenario(
        "batch producer, kill -9 and SIGTERM",
        scenarios.producer_killed,
        full={"rows": 50_000, "kills": 10, "stops": 5},
        quick={"rows": 10_000, "kills": 2, "stops": 1},
        limit=150,
    ),
    3: Scenario(
        "three nodes, kill -9 of leader and coordinator",
        scenarios.brokers_killed,
        full={"rounds": 3},
        quick={"rounds": 1},
        limit=300,
        nodes=3,
    ),
    4: Scenario(
        "scaling 1 to 3 to 1 consumers",
        scenarios.scaled,
        full={"rounds": 5},
        quick={"rounds": 1},
        limit=210,
    ),
    5: Scenario(
        "consumer paused past its session, woken up",
        scenarios.zombies,
        full={"rounds": 5},
        quick={"rounds": 1},
        limit=210,
    ),
    7: Scenario(
        "broker paused",
        scenarios.broker_paused,
        full={"seconds": 30},
        quick={"seconds": 5},
        limit=120,
    ),
    8: Scenario(
        "two producers of one file",
        scenarios.rivals,
        full={"rows": 50_000, "rounds": 3},
        quick={"rows": 10_000, "rounds": 1},
        limit=60,
    ),
}
