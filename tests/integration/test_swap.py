"""A model that is replaced while events flow, and one in the shadow."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from builders import CustomerEvent, Prediction
from churnstream.cli.consume import consume_batch
from churnstream.kafka.admin import Admin
from churnstream.model.champion import Models, Scoring
from churnstream.model.manifest import MANIFEST_NAME
from churnstream.pipeline.stop_signal import StopSignal
from integration.flow import Flow, churnstream, position_of, until

SWAPPING = ("--model-refresh", 0.05, "--batch-size", 100)


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    """A copy of the model, to be replaced."""
    return Path(shutil.copytree(model_folder, tmp_path / "model"))


def replace(folder: Path, seed: int) -> None:
    """Train another model into the folder."""
    ran = churnstream("train", "--model", folder, "--seed", seed)
    assert ran.code == 0, ran.err


def versions_in(flow: Flow) -> set[str]:
    """The models whose predictions are in the topic."""
    return {prediction.model_version for prediction in flow.predictions()}


def by_partition(predictions: list[Prediction]) -> list[list[Prediction]]:
    """The predictions of each partition, in the order of their events."""
    found: dict[int, list[Prediction]] = {}
    for prediction in sorted(predictions, key=lambda p: p.source_offset):
        found.setdefault(prediction.source_partition, []).append(prediction)
    return list(found.values())


def test_swap_while_events_flow(flow: Flow, folder: Path) -> None:
    """Two swaps and a broken model between: each event once, versions in order, batches whole."""
    with (
        flow.process("consume", "--model", folder, *SWAPPING) as consumer,
        flow.process("produce", "--events-per-sec", 300) as producer,
    ):
        until(lambda: len(versions_in(flow)) == 1)
        replace(folder, seed=1)
        until(lambda: len(versions_in(flow)) == 2)
        manifest = (folder / MANIFEST_NAME).read_text()
        broken = re.sub(r'("probability": )0\.', r"\g<1>1.", manifest, count=1)
        assert broken != manifest
        (folder / MANIFEST_NAME).write_text(broken.replace('"version": "2', '"version": "broken-2'))
        until(lambda: consumer.says("model_rejected"))
        replace(folder, seed=2)
        until(lambda: len(versions_in(flow)) == 3)
        producer.popen.terminate()
        assert producer.wait() == 0
        until(lambda: len(flow.predictions()) >= len(flow.events()))
        consumer.popen.terminate()
        assert consumer.wait() == 0
        log = consumer.err

    assert log.count("model_rejected") == 1
    versions = re.findall(r"(?:model_loaded|model_swapped).* version=(\S+)", log)
    predictions = flow.predictions()
    assert flow.outcomes() == dict.fromkeys(map(position_of, flow.events()), 1)
    assert {p.model_version for p in predictions} == set(versions)
    for partition in by_partition(predictions):
        order = [versions.index(p.model_version) for p in partition]
        assert order == sorted(order)
    batches: dict[object, set[str]] = {}
    for prediction in predictions:
        batches.setdefault(prediction.processed_ts, set()).add(prediction.model_version)
    assert {len(found) for found in batches.values()} == {1}
    assert flow.run("audit").code == 0


class Promoting(Models):
    """Another model is in the folder, and looked at, once the first batch is committed."""

    folder: Path

    def shadow(
        self,
        events: Sequence[CustomerEvent],
        probabilities: NDArray[np.float64],
        champion: Scoring,
    ) -> None:
        """Compare as usual, and promote."""
        super().shadow(events, probabilities, champion)
        if not self.champion.swaps:
            replace(self.folder, seed=1)
            self.champion.look()


def test_summary_of_two_models(flow: Flow, folder: Path) -> None:
    """A summary names both models in their order, and no threshold: each has its own."""
    assert flow.run("produce --mode batch").code == 0
    consumer = flow.settings.consumer.model_copy(update={"batch_size": 1000})
    own = flow.settings.model.model_copy(update={"path": str(folder), "refresh": 3600})
    settings = flow.settings.model_copy(update={"model": own, "consumer": consumer})
    with Promoting(settings) as models:
        models.folder = folder
        first = models.champion.current().version
        summary, findings = consume_batch(settings, Admin(settings.kafka), models, StopSignal())
        second = models.champion.current().version

    assert (summary.model_version, summary.threshold) == (f"{first}, {second}", None)
    assert (summary.scored, models.champion.swaps) == (7043, 1)
    assert findings.model is None
    said = [p.prediction for p in flow.predictions()]
    assert said.count("Yes") == summary.predicted_churners
    assert versions_in(flow) == {first, second}


def test_challenger(flow: Flow, folder: Path) -> None:
    """The summary compares the two models; nothing of the second one is in the topic."""
    replace(folder, seed=1)
    ran = flow.run("produce --mode batch")
    assert ran.code == 0, ran.err
    summary = flow.consume("--challenger", folder)

    (found,) = summary.challengers
    assert found.champion == summary.model_version
    assert (found.events, found.not_scored) == (summary.scored, 0)
    assert found.agreement is not None
    assert 0.9 < found.agreement < 1
    assert found.mean_difference is not None
    assert 0 < abs(found.mean_difference) < 0.05
    assert sum(found.challenger_scores) == summary.scored
    assert {p.model_version for p in flow.predictions()} == {found.champion}


def test_a_challenger_in_a_stream(flow: Flow, folder: Path) -> None:
    """A consumer that is stopped says how the two models compare."""
    with flow.process("consume", "--challenger", folder, *SWAPPING) as consumer:
        assert flow.run("produce --events-per-sec 1000 --max-events 50").code == 0
        until(lambda: len(flow.predictions()) == 50)
        consumer.popen.terminate()
        assert consumer.wait() == 0
    assert " on 50 events: 100.0% predicted alike, probability +0.0000" in consumer.out
