"""Trainings in a real MLflow server: runs, versions, the champion, and loading them again."""

import json
import time
from pathlib import Path
from urllib.request import urlopen

import mlflow
import msgspec
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from builders import TELCO, CustomerEvent
from churnstream.errors import ConfigurationError, ModelError, RegistryError
from churnstream.model import compared_kinds
from churnstream.model.features import frame
from churnstream.model.manifest import Manifest, load
from churnstream.model.promotion import MARGIN
from churnstream.model.registry import Registered
from churnstream.model.tracking import CHAMPION, NAME
from integration.flow import churnstream

pytestmark = pytest.mark.usefixtures("registry")
AT_CHAMPION = f"models:/{NAME}@{CHAMPION}"


@pytest.fixture
def client(registry: str) -> mlflow.MlflowClient:
    """The registry, empty."""
    client = mlflow.MlflowClient(registry)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    return client


def train(*flags: str, model: str = "model") -> tuple[Manifest, str]:
    """Train with MLflow; the manifest, and the line that says what became of the version."""
    ran = churnstream("train", "--mlflow", "--json", "--model", model, *flags)
    assert ran.code == 0, ran.err
    return msgspec.json.decode(ran.out, type=Manifest), ran.err.splitlines()[-1]


def champion(client: mlflow.MlflowClient) -> str:
    """The number of the champion."""
    return str(client.get_model_version_by_alias(NAME, CHAMPION).version)


def few_customers(customers: list[CustomerEvent], path: Path) -> str:
    """A file of 200 customers, of whom a model learns little."""
    rows = [msgspec.to_builtins(customer) for customer in customers[1000:1200]]
    names = list(rows[0])
    lines = [",".join("" if row[n] is None else str(row[n]) for n in names) for row in rows]
    path.write_text("\n".join([",".join(names), *lines]) + "\n")
    return str(path)


def test_a_training_is_a_run_and_a_version(
    client: mlflow.MlflowClient, customers: list[CustomerEvent]
) -> None:
    """With parameters, figures, pictures, signature and example; the first one is champion."""
    manifest, line = train()

    version = client.get_model_version_by_alias(NAME, CHAMPION)
    assert line == f"{NAME} version {version.version}: now the champion; there was no champion"
    assert version.tags["churnstream.sha256"] == manifest.sha256
    run = client.get_run(version.run_id)
    assert run.info.run_name == manifest.version
    assert run.data.params["data_sha256"] == manifest.data_sha256
    assert run.data.metrics["test_roc_auc"] == pytest.approx(manifest.test.roc_auc)
    pictures = {Path(file.path).name for file in client.list_artifacts(run.info.run_id, "plots")}
    assert pictures == {"ranking.svg", "calibration.svg", "gain.svg", "profit.svg"}
    theirs = mlflow.pyfunc.load_model(AT_CHAMPION)
    assert theirs.metadata.signature.inputs.input_names() == list(
        frame(TELCO, customers[:1]).columns
    )
    assert theirs.input_example is not None
    np.testing.assert_allclose(
        np.asarray(theirs.predict(frame(TELCO, customers[:50]))),
        load(Path("model")).score(customers[:50]),
        rtol=0,
        atol=1e-12,
    )


def test_the_registered_model_scores_like_the_saved_one(
    client: mlflow.MlflowClient, customers: list[CustomerEvent]
) -> None:
    """By alias or by number, what comes back is the very model, with its manifest."""
    manifest, _ = train()
    number = champion(client)

    for address in (AT_CHAMPION, f"models:/{NAME}/{number}"):
        source = Registered(address)
        assert source.newest() == number
        model = source.load(number)
        assert model.manifest == manifest
        saved = load(Path("model")).score(customers)
        np.testing.assert_array_equal(model.score(customers), saved)


def test_promotion(client: mlflow.MlflowClient, customers: list[CustomerEvent]) -> None:
    """A worse model is a version and no champion, an equal one is, and both can be forced."""
    train()
    few = few_customers(customers, Path("few.csv"))

    _, worse = train("--dataset", few, model="few")
    assert (champion(client), "version 2: not the champion; log loss " in worse) == ("1", True)
    assert worse.endswith(f"margin {MARGIN}")
    _, forced = train("--dataset", few, "--promote", "always", model="few")
    assert (champion(client), "now the champion; --promote always" in forced) == ("3", True)
    _, held = train("--promote", "never")
    assert (champion(client), "not the champion; --promote never" in held) == ("3", True)
    _, better = train()
    assert (champion(client), "version 5: now the champion; log loss " in better) == ("5", True)
    _, equal = train()
    assert (champion(client), "version 6: now the champion; log loss " in equal) == ("6", True)


def test_predict_takes_an_address(
    client: mlflow.MlflowClient, customers: list[CustomerEvent]
) -> None:
    """Commands that score take the champion where they take a folder."""
    manifest, _ = train()
    text = msgspec.json.encode(customers[0]).decode()

    ran = churnstream("predict", text, "--model", AT_CHAMPION)

    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["model_version"] == manifest.version
    assert champion(client) == "1"


def test_changed_terms_are_rejected(client: mlflow.MlflowClient) -> None:
    """A file that somebody exchanged in the store is not scored with."""
    train()
    version = client.get_model_version_by_alias(NAME, CHAMPION)
    (terms,) = Path("model").glob("terms-*.json")
    terms.write_bytes(b"something else")
    client.log_model_artifact(version.source.rsplit("/", 1)[-1], str(terms), "churnstream")

    with pytest.raises(ModelError, match=r"^models:/telco-churn/1: .* is not the file that its"):
        Registered(AT_CHAMPION).load("1")


def test_another_digest_than_the_registered_one_is_rejected(client: mlflow.MlflowClient) -> None:
    """A version whose files are those of another model is not scored with."""
    train()
    client.set_model_version_tag(NAME, "1", "churnstream.sha256", "0" * 64)

    with pytest.raises(ModelError, match="is not the model that was registered"):
        Registered(AT_CHAMPION).load("1")


def test_a_model_of_somebody_else_is_named_as_such(
    client: mlflow.MlflowClient, customers: list[CustomerEvent]
) -> None:
    """A version that churnstream did not log gets a line of its own, not the library's error."""
    rows = frame(TELCO, customers[:100])
    numbers = DummyClassifier().fit(rows, [0, 1] * 50)
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            numbers, name="theirs", registered_model_name="theirs", serialization_format="skops"
        )

    with pytest.raises(ModelError, match="models:/theirs/1 was not registered by churnstream"):
        Registered("models:/theirs/1").load("1")


def test_what_is_not_there(client: mlflow.MlflowClient) -> None:
    """An unknown name, alias or version ends in one line."""
    train("--promote", "never")
    for address in ("models:/nothing@champion", AT_CHAMPION):
        with pytest.raises(RegistryError, match=r"^MLflow: "):
            Registered(address).newest()
    with pytest.raises(RegistryError, match=r"^MLflow: "):
        Registered(f"models:/{NAME}/99").load("99")
    assert [version.version for version in client.search_model_versions()] == ["1"]


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command ends with one line, and does not try for minutes."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    begin = time.monotonic()
    ran = churnstream("predict", "{}", "--model", AT_CHAMPION)
    assert (ran.code, ran.error[:8]) == (1, "MLflow: ")
    assert time.monotonic() - begin < 60


def test_the_comparison_is_logged(
    client: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run holds table and pictures, and a run within it the figures of each kind."""
    name = "logistic regression"
    monkeypatch.setattr(compared_kinds, "COMPARED", {name: compared_kinds.COMPARED[name]})
    assert churnstream("train", "--compare", "--mlflow").code == 0

    experiment = client.get_experiment_by_name(NAME)
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    files = {file.path for file in client.list_artifacts(runs["comparison"].info.run_id)}
    assert {"model.md", "comparison.json", "ranking.svg"} <= files
    assert runs[name].data.metrics["cv_roc_auc"] == pytest.approx(0.845, abs=0.002)
    assert runs[name].data.tags["mlflow.parentRunId"] == runs["comparison"].info.run_id


def test_without_a_server_a_file_is_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MLFLOW_TRACKING_URI everything is in mlflow.db of the working folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    manifest, line = train()

    assert "now the champion" in line
    assert Path("mlflow.db").is_file()
    source = Registered(AT_CHAMPION)
    assert source.load(source.newest()).version == manifest.version


def test_the_web_page_is_there(server: str) -> None:
    """People can look at runs and versions."""
    with urlopen(server, timeout=10) as answer:
        assert b"MLflow" in answer.read()


def test_without_mlflow_a_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither training nor scoring begins without it."""
    monkeypatch.setattr("churnstream.model.registry.find_spec", lambda _: None)
    for command in (["train", "--mlflow"], ["predict", "{}", "--model", AT_CHAMPION]):
        ran = churnstream(*command)
        assert (ran.code, ran.error) == (
            ConfigurationError.exit_code,
            "MLflow is not installed: pip install 'churnstream[mlflow]'",
        )
