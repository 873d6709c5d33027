"""The alias of a real registry moves while a consumer scores."""

import re
from pathlib import Path

import mlflow
import pytest

from churnstream.model.tracking import CHAMPION, NAME
from churnstream.testing.embedded import embedded_broker
from integration.flow import Flow, churnstream, position_of, until

pytestmark = pytest.mark.usefixtures("registry")


def register(seed: int) -> None:
    """A new version, which the alias does not point to."""
    ran = churnstream("train", "--mlflow", "--promote", "never", "--seed", seed, "--model", "m")
    assert ran.code == 0, ran.err


def test_alias_moves_while_events_flow(registry: str, tmp_path: Path) -> None:
    """Two promotions, a broken one between, a challenger: each event once, versions in order."""
    client = mlflow.MlflowClient(registry)
    for seed in (1, 2, 3):
        register(seed)
    first, broken, last = sorted(
        (version.version for version in client.search_model_versions()), key=int
    )[-3:]
    client.set_model_version_tag(NAME, broken, "churnstream.sha256", "0" * 64)

    def point(alias: str, version: str) -> None:
        client.set_registered_model_alias(NAME, alias, version)

    point(CHAMPION, first)
    point("challenger", last)
    flags = ("--model-refresh", 0.2, "--batch-size", 100, "--log-level", "info")
    with embedded_broker() as broker:
        flow = Flow.create(tmp_path, "alias", broker, tmp_path / "none")
        models = ("--model", f"models:/{NAME}@{CHAMPION}")
        shadow = ("--challenger", f"models:/{NAME}@challenger")
        with (
            flow.process("consume", *models, *shadow, *flags) as consumer,
            flow.process("produce", "--events-per-sec", 200) as producer,
        ):
            until(lambda: len(flow.predictions()) > 0, 60)
            point(CHAMPION, broken)
            until(lambda: consumer.says("model_rejected"))
            point(CHAMPION, last)
            until(lambda: len({p.model_version for p in flow.predictions()}) == 2)
            producer.popen.terminate()
            assert producer.wait() == 0
            until(lambda: len(flow.predictions()) >= len(flow.events()))
            consumer.popen.terminate()
            assert consumer.wait() == 0
        predictions = flow.predictions()
        outcomes, events = flow.outcomes(), flow.events()

    assert outcomes == dict.fromkeys(map(position_of, events), 1)
    loaded = r"(?:model_loaded|model_swapped).* name=(\d+) .*role=model .* version=(\S+)"
    names = re.findall(loaded, consumer.err)
    assert [name for name, _ in names] == [first, last]
    versions = [version for _, version in names]
    for partition in {p.source_partition for p in predictions}:
        here = [p for p in predictions if p.source_partition == partition]
        order = [
            versions.index(p.model_version) for p in sorted(here, key=lambda p: p.source_offset)
        ]
        assert order == sorted(order)
        assert set(order) == {0, 1}
    assert consumer.err.count("model_rejected") == 1
    assert re.search(r"challenger \S+ on [\d,]+ events: 100.0% predicted alike", consumer.out)
