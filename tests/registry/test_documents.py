"""The commands of documents that want MLflow, as they stand there."""

from pathlib import Path

import mlflow

from churnstream.model.tracking import NAME
from churnstream.testing.embedded import embedded_broker
from documents import PAGES, WITH_MLFLOW, Workplace, blocks, commands


def test_blocks_with_mlflow(registry: str, tmp_path: Path) -> None:
    """Who types what the pages show, trainings first, sees every command succeed."""
    texts = [b.text for page in PAGES for b in blocks(page) if b.mark == WITH_MLFLOW]
    trainings = [text for text in texts if commands(text)[0][1] == "train"]
    with embedded_broker() as broker:
        place = Workplace(tmp_path, broker, MLFLOW_TRACKING_URI=registry)
        for text in trainings:
            place.type(text, seconds=600)
        mlflow.MlflowClient(registry).set_registered_model_alias(NAME, "challenger", "2")
        place.type("churnstream topics create")
        for text in texts:
            if text not in trainings:
                place.type(text)
