"""Trainings in MLflow: each is a run, its model a version, and one of the versions the champion.

Needs the extra `mlflow`. `churnstream.model.registry` brings versions back.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from churnstream.model.compare import Comparison
from churnstream.model.features import frame
from churnstream.model.manifest import MANIFEST_NAME, Manifest
from churnstream.model.plots import draw
from churnstream.model.promotion import compare_with_champion
from churnstream.model.quality import Metrics
from churnstream.model.registry import DIGEST_TAG, FOLDER, SCHEME, Registered, store
from churnstream.model.train import TrainedModel
from churnstream.schema.record_types import event_type

NAME = "telco-churn"
CHAMPION = "champion"

Promote = Literal["always", "better", "never"]


class Registration(NamedTuple):
    """What became of a model in the registry.

    Attributes:
        version: Counts up from 1.
        promoted: Whether it is the champion now.
        reason: Why it is, or is not; part of a sentence.
    """

    version: str
    promoted: bool
    reason: str


def register(
    model: TrainedModel, manifest: Manifest, folder: Path, promote: Promote = "better"
) -> Registration:
    """Log a training as a run, and its model as a version; make it the champion if it deserves it.

    Args:
        manifest: Of the model as saved in `folder`.
        promote: "better": unless its log loss on its own held-out customers is above that of the
            present champion on the same customers by more than a margin, as
            `churnstream.model.promotion` has it.

    Raises:
        ConfigurationError: MLflow or matplotlib is not installed.
        RegistryError: MLflow refused, or could not be reached.
    """
    with store() as mlflow, tempfile.TemporaryDirectory() as scratch:
        mlflow.set_experiment(NAME)
        with mlflow.start_run(run_name=manifest.version):
            mlflow.log_params(_parameters(manifest))
            mlflow.log_metrics(_figures(manifest))
            draw({"out of fold": model.predictions}, manifest.decision.offer, Path(scratch))
            mlflow.log_artifacts(scratch, "plots")
            logged = _log_model(mlflow, model, manifest, folder)
        tags = {"churnstream.version": manifest.version, DIGEST_TAG: manifest.sha256}
        version = str(mlflow.register_model(logged, NAME, tags=tags).version)
        client = mlflow.MlflowClient()
        promoted, reason = _deserves(client, model, promote)
        if promoted:
            client.set_registered_model_alias(NAME, CHAMPION, version)
    return Registration(version, promoted, reason)


def log_comparison(comparison: Comparison, files: Sequence[Path]) -> None:
    """Log a comparison as a run with its files, and a run within it for each kind of model.

    Raises:
        ConfigurationError: MLflow is not installed.
        RegistryError: MLflow refused, or could not be reached.
    """
    with store() as mlflow:
        mlflow.set_experiment(NAME)
        with mlflow.start_run(run_name="comparison"):
            for path in files:
                mlflow.log_artifact(str(path))
            for result in comparison.results:
                figures = {f"cv_{name}": float(np.mean(f)) for name, f in result.folds.items()}
                with mlflow.start_run(run_name=result.name, nested=True):
                    mlflow.log_metrics(
                        figures
                        | {
                            "cv_calibration_error": result.calibration_error,
                            "fit_seconds": result.fit_seconds,
                            "score_microseconds": result.score_microseconds,
                        }
                    )


def _parameters(manifest: Manifest) -> dict[str, Any]:
    offer = manifest.decision.offer
    return {
        "estimator": manifest.estimator,
        "seed": manifest.seed,
        "rows": manifest.rows,
        "data_sha256": manifest.data_sha256,
        "threshold_rule": manifest.decision.rule,
        "offer_cost": offer.cost,
        "offer_success_rate": offer.success_rate,
        "months_kept": offer.months_kept,
    }


def _figures(manifest: Manifest) -> dict[str, float]:
    parts = {"test": manifest.test, "oof": manifest.out_of_fold}
    return {
        f"{part}_{name}": getattr(metrics, name)
        for part, metrics in parts.items()
        for name in Metrics.__struct_fields__
    } | {
        **{f"cv_{name}": spread.mean for name, spread in manifest.cross_validated.items()},
        "threshold": manifest.threshold,
        "test_profit": manifest.decision.test.profit,
        "oof_profit": manifest.decision.out_of_fold.profit,
    }


def _log_model(mlflow: Any, model: TrainedModel, manifest: Manifest, folder: Path) -> str:  # noqa: ANN401
    """Log the folder, in a form that MLflow itself can score with; answers its address."""
    kind = event_type(manifest.schema)
    events = [msgspec.convert(row.event, kind) for row in manifest.reference]
    example = frame(manifest.schema, events)
    answer = np.array([row.probability for row in manifest.reference])
    logged = mlflow.pyfunc.log_model(
        name=NAME,
        loader_module="churnstream.model.mlflow_flavour",
        data_path=str(folder),
        signature=mlflow.models.infer_signature(example, answer),
        input_example=example,
        # Named here, or MLflow would start a process to find them out.
        pip_requirements=[f"{name}=={found}" for name, found in manifest.libraries.items()],
    )
    for path in (folder / MANIFEST_NAME, folder / manifest.file_name):
        mlflow.MlflowClient().log_model_artifact(logged.model_id, str(path), FOLDER)
    return str(logged.model_uri)


def _deserves(client: Any, model: TrainedModel, promote: Promote) -> tuple[bool, str]:  # noqa: ANN401
    """Whether a new model becomes the champion, and why."""
    if promote != "better":
        return promote == "always", f"--promote {promote}"
    if CHAMPION not in client.get_registered_model(NAME).aliases:
        return True, "there was no champion"
    source = Registered(f"{SCHEME}{NAME}@{CHAMPION}")
    return compare_with_champion(
        model.test.log_loss, model.schema, model.held_out, lambda: source.load(source.newest())
    )
