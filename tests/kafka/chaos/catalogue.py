"""The scenarios by their number, with how many faults they have in full and in quick runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from cluster import Cluster

from chaos import broker_scenarios, scenarios
from chaos.customers import Customers
from chaos.flow import Flow
from chaos.judge import Outcome


class Scenario(NamedTuple):
    """A scenario and its sizes.

    Attributes:
        title: For the table.
        play: The function.
        full: Its faults.
        quick: Its faults where minutes matter.
        nodes: How many brokers it wants.
    """

    title: str
    play: Callable[..., Outcome]
    full: int
    quick: int
    nodes: int = 1

    def run(
        self,
        cluster: Cluster,
        name: str,
        *,
        seed: int,
        faults: int,
        folder: Path,
        model: Path,
        customers: Customers | None = None,
    ) -> Outcome:
        """Play it on topics of its own.

        Args:
            cluster: Brokers for it, as many as it wants.
            name: Of its topics and its group.
            seed: Decides when and what is killed.
            faults: How many of them.
            folder: Where its processes write.
            model: What they score with.
            customers: Whose events pass; None: the bundled ones.
        """
        with Flow(
            cluster.bootstrap_servers,
            name,
            folder=folder,
            model=model,
            copies=self.nodes,
            customers=customers,
        ) as flow:
            outcome = self.play(cluster, flow, Random(f"{seed} {self.title}"), faults=faults)
            if not outcome.is_clean:
                flow.tell_last_lines()
            return outcome


SCENARIOS: dict[int, Scenario] = {
    1: Scenario(
        "three consumers, kill -9 of a random one", scenarios.consumers_killed, full=20, quick=2
    ),
    2: Scenario("batch producer, kill -9 and SIGTERM", scenarios.producer_killed, full=15, quick=3),
    3: Scenario(
        "three nodes, kill -9 of leader and coordinator",
        broker_scenarios.brokers_killed,
        full=6,
        quick=2,
        nodes=3,
    ),
    4: Scenario("scaling 1 to 3 to 1 consumers", scenarios.scaled, full=10, quick=2),
    5: Scenario("consumer paused past its session, woken up", scenarios.zombies, full=5, quick=1),
    6: Scenario(
        "the only broker restarted or killed", broker_scenarios.broker_restarted, full=4, quick=1
    ),
    7: Scenario("the only broker paused", broker_scenarios.broker_paused, full=4, quick=1),
    8: Scenario("two producers of one file", scenarios.rivals, full=3, quick=1),
    9: Scenario(
        "network cut without a word, mended", broker_scenarios.network_cut, full=4, quick=1
    ),
    10: Scenario("consumer killed for good, taken over", scenarios.taken_over, full=4, quick=1),
}
