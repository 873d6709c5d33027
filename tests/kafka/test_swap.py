"""Models that are promoted while 2,000 events a second flow: none lost, none twice, none late."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from chaos.flow import Flow
from chaos.outages import longest_outage
from chaos.processes import Process
from chaos.watch import until

from builders import Prediction, decode_prediction

pytest_plugins = ["chaos.fixtures"]

RATE = 2000
LONGEST_OUTAGE = 3.0  # seconds; a batch takes a fraction of one, on a busy machine one or two


def promote(folder: Path, seed: int, *, broken: bool = False) -> None:
    """Train another model, and put it into a folder; a broken one has the wrong scores."""
    draft = folder.with_name(f"draft-{seed}")
    process = Process(
        folder.parent,
        f"train-{seed}",
        *("train", "--model", str(draft), "--seed", str(seed)),
        environment={},
    )
    assert process.wait(120) == 0, process.last_words
    manifest = draft / "manifest.json"
    if broken:
        wrong = re.sub(r'("probability": )0\.', r"\g<1>1.", manifest.read_text(), count=1)
        manifest.write_text(wrong)
    for path in draft.glob("terms-*"):
        shutil.copy(path, folder)
    manifest.rename(folder / "manifest.json")


def predictions_by_partition(flow: Flow) -> dict[int, list[Prediction]]:
    """What was published, in the order of the events."""
    found = defaultdict(list)
    for record in flow.watch.read(flow.output):
        prediction = decode_prediction(record.value() or b"")
        found[prediction.source_partition].append(prediction)
    return {p: sorted(made, key=lambda one: one.source_offset) for p, made in found.items()}


def versions_in(flow: Flow) -> set[str]:
    """The models whose predictions are in the topic."""
    records = flow.watch.read(flow.output)
    return {decode_prediction(record.value() or b"").model_version for record in records}


@pytest.mark.parametrize("batch_size", ["500", "5000"])
def test_promotions_while_events_flow(
    flow: Flow, trained: Path, tmp_path: Path, batch_size: str
) -> None:
    """Versions change at one offset of a partition and never back; a broken one never scores."""
    folder = Path(shutil.copytree(trained, tmp_path / "promoted"))
    swapping = ("--model", str(folder), "--model-refresh", "0.2", "--batch-size", batch_size)
    consumer = flow.consume(0, *swapping)
    flow.wait_owned(1)
    producer = flow.produce(RATE)
    until(lambda: len(versions_in(flow)) == 1, 60, "predictions are made")

    promote(folder, seed=1)
    until(lambda: len(versions_in(flow)) == 2, 60, "the first promotion")
    promote(folder, seed=2, broken=True)
    until(lambda: consumer.log.count("model_rejected") == 1, 30, "the broken model is refused")
    promote(folder, seed=3)
    until(lambda: len(versions_in(flow)) == 3, 60, "the second promotion")
    producer.stop()
    until(lambda: flow.is_scored, 60, "every event is scored")
    consumer.stop()

    verdict = flow.audit()
    assert (verdict.exactly_once, verdict.complete) == (True, True)
    assert f"{verdict.events:,} events sent" in producer.output
    versions = re.findall(r"(?:model_loaded|model_swapped).* version=(\S+)", consumer.log)
    assert (len(versions), consumer.log.count("model_rejected")) == (3, 1)
    for made in predictions_by_partition(flow).values():
        order = [versions.index(prediction.model_version) for prediction in made]
        assert order == sorted(order)
        assert set(order) == {0, 1, 2}
    assert longest_outage(flow.events(), flow.answers()) < LONGEST_OUTAGE
