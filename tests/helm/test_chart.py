"""The chart is what Helm and Kubernetes understand, and a mistake in its values is named."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from helm_chart import CHART, ROOT, VALUES, rendered, run, template

VERSIONS = ("1.31", "1.34", "1.37")
VALIDATE = ROOT / ".venv-helm" / "bin" / "kubernetes-validate"
MINIMAL = ROOT / "tests" / "helm" / "values" / "minimal.yaml"


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_helm_finds_nothing_to_say(values: Path) -> None:
    """`helm lint --strict` passes."""
    done = run("lint", "--strict", str(CHART), "--values", str(values))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_kubernetes_knows_every_field(values: Path, version: str) -> None:
    """Every resource is valid in each of three versions; those of operators it cannot know."""
    text = rendered(values, "--kube-version", version)
    done = validate(text, version)
    unknown = [line for line in done.stdout.splitlines() if line.startswith("WARN")]

    assert done.returncode == 0, done.stdout
    assert [line for line in unknown if "ServiceMonitor" not in line and "Scaled" not in line] == []


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    """The test above would notice."""
    text = rendered(MINIMAL).replace("podManagementPolicy:", "podManagement:")
    done = validate(text, VERSIONS[0])
    assert done.returncode == 1
    assert "podManagement" in done.stdout


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("replicas=3", "replicas"),
        ("consumer.replica=3", "replica"),
        ("consumer.replicas=0", "minimum"),
        ("models.from=folder", "models"),
        ("config.consumer.bach_size=100", "bach_size"),
        ("config.consumer.reasons=some", "reasons"),
        ("config.consumer.instance=7", "instance"),
        ("config.notify.secret=0123456789", "secret"),
        ("config.kafka.client.sasl\\.password=secret", "sasl.password is secret; put it into"),
        ("config.kafka.client.ssl\\.key\\.pem=key", "ssl.key.pem is secret"),
        ("config.schema_registry.url=http://me:secret@registry", "holds a password"),
        ("secrets.kafka\\.clients.name=x", "kafka.clients"),
        ("secrets.kafka\\.client.name=x", "key"),
        ("extraEnv[0].name=MLFLOW_TRACKING_PASSWORD,extraEnv[0].value=secret", "valueFrom"),
        ("consumer.replicas=4", "one without a partition is never ready"),
        ("dashboard.enabled=true", "needs a token"),
        ("models.from=image", "models.image.reference"),
        ("models.from=mlflow", "models.mlflow.trackingUri"),
        ("config.model.path=models:/telco@champion", "models.from"),
        ("models.from=image,models.image.reference=x,train.enabled=true", "cannot be trained"),
        ("config.kafka.brokers=", "kafka/brokers"),
        ("consumer.scaling.enabled=true,customers=x", "config.topics.input"),
        ("consumer.scaling.enabled=true,consumer.scaling.minReplicas=4", "more than maxReplicas"),
        (
            "consumer.scaling.enabled=true,config.kafka.client.security\\.protocol=SSL",
            "TriggerAuthentication",
        ),
    ],
)
def test_a_mistake_is_named(setting: str, said: str) -> None:
    """Values that cannot work end the installation, and the message names them."""
    done = template("--values", str(MINIMAL), "--set", setting)
    assert done.returncode == 1
    assert said in done.stderr.replace("at '/", "").replace(".brokers", "/brokers")


def test_brokers_must_be_set() -> None:
    """There is no address of brokers that could be guessed."""
    done = template()
    assert done.returncode == 1
    assert "config.kafka.brokers is not set" in done.stderr


def test_versions_agree() -> None:
    """The chart installs the version of the package that it comes with."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f'\nversion = "{chart["appVersion"]}"\n' in (ROOT / "pyproject.toml").read_text()


def validate(text: str, version: str) -> subprocess.CompletedProcess[str]:
    """What kubernetes-validate says of resources."""
    command = [str(VALIDATE), "--strict", "--kubernetes-version", version, "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)
