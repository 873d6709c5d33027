"""What the chart's pods may do, know and read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from churnstream import settings_sources
from churnstream.settings import Settings
from helm_chart import CHART, ROOT, VALUES, Resource, one, pods, resources

EVERYTHING, MINIMAL, MLFLOW, SCALED, SECURED, IMAGE = (
    ROOT / "tests" / "helm" / "values" / f"{name}.yaml"
    for name in ("everything", "minimal", "mlflow", "scaled", "secured", "image")
)
each_values = pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)


def settings_of(found: list[Resource], folder: Path) -> Settings:
    """What churnstream itself reads from the ConfigMap."""
    file = folder / "config.yaml"
    file.write_text(one(found, "ConfigMap")["data"]["config.yaml"])
    return settings_sources.load(file)


def container(found: list[Resource], kind: str, end: str) -> Resource:
    """The one container of the pods of a resource."""
    (pod,) = pods([one(found, kind, end)])
    (only,) = pod["containers"]
    return only  # type: ignore[no-any-return]


def environment(of: Resource) -> dict[str, Any]:
    """The variables of a container, by name."""
    return {variable["name"]: variable for variable in of.get("env", [])}


def mounted(of: Resource) -> dict[str, bool]:
    """The paths where something is mounted, and whether it may be written."""
    return {m["mountPath"]: not m.get("readOnly", False) for m in of["volumeMounts"]}


@each_values
def test_pods_may_do_nothing_special(values: Path) -> None:
    """PodSecurity "restricted" lets every pod in; none writes to its root, or has a token."""
    found = pods(resources(values))
    assert len(found) >= 2
    for pod in found:
        own = pod["securityContext"]
        assert (own["runAsNonRoot"], own["runAsUser"]) == (True, 10001)
        assert own["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        for each in pod["containers"]:
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


@each_values
def test_services_put_nothing_into_pods(
    values: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No Service's address stands among the settings; if one did, churnstream would not mind it."""
    found = resources(values)
    assert [pod["enableServiceLinks"] for pod in pods(found)] == [False] * len(pods(found))

    for service in (r for r in found if r["kind"] == "Service"):
        name = service["metadata"]["name"].upper().replace("-", "_")
        monkeypatch.setenv(f"{name}_SERVICE_HOST", "10.0.0.1")
        monkeypatch.setenv(f"{name}_SERVICE_PORT_HTTP", "8090")
        monkeypatch.setenv(f"{name}_PORT", "tcp://10.0.0.1:8090")
        monkeypatch.setenv(f"{name}_PORT_8090_TCP_ADDR", "10.0.0.1")
    assert settings_of(found, tmp_path).metrics.port == 9100


@each_values
def test_every_pod_says_what_it_needs(values: Path) -> None:
    """Processor and memory are asked for, and memory has a limit."""
    for pod in pods(resources(values)):
        for each in pod["containers"]:
            assert set(each["resources"]["requests"]) == {"cpu", "memory"}
            assert "memory" in each["resources"]["limits"]


@each_values
def test_settings_are_those_of_churnstream(values: Path, tmp_path: Path) -> None:
    """config.yaml in the ConfigMap is valid, and says what the values say."""
    settings = settings_of(resources(values), tmp_path)
    given = yaml.safe_load(values.read_text())["config"]
    read = settings.model_dump()

    said = {(s, name): value for s in given for name, value in given[s].items()}
    if client := said.get(("kafka", "client")):  # each of its values is handed on as text
        said["kafka", "client"] = {name: str(value) for name, value in client.items()}
    assert {(s, name): read[s][name] for s, name in said} == said
    assert settings.metrics.host == settings.dashboard.host == "0.0.0.0"


def test_large_numbers_stay_numbers(tmp_path: Path) -> None:
    """Helm has every number as a float; 104857600 must not become 1.048576e+08."""
    found = resources(EVERYTHING)
    text = one(found, "ConfigMap")["data"]["config.yaml"]
    assert '"fetch.max.bytes":104857600' in text
    assert settings_of(found, tmp_path).consumer.batch_size == 1_000_000
    (trigger,) = one(found, "ScaledObject")["spec"]["triggers"]
    assert trigger["metadata"]["lagThreshold"] == "1000000"


@each_values
def test_the_instance_is_the_ordinal(values: Path) -> None:
    """A consumer's transactions are named after its place in the StatefulSet."""
    instance = environment(container(resources(values), "StatefulSet", "-consumer"))[
        "CHURNSTREAM_CONSUMER__INSTANCE"
    ]
    path = "metadata.labels['apps.kubernetes.io/pod-index']"
    assert instance["valueFrom"] == {"fieldRef": {"fieldPath": path}}


@each_values
def test_secrets_are_named_not_held(values: Path) -> None:
    """The chart makes no Secret; a secret setting comes from one, and no pod gets another's."""
    found = resources(values)
    assert [r for r in found if r["kind"] == "Secret"] == []
    for pod in pods(found):
        for each in pod["containers"]:
            for name, variable in environment(each).items():
                if re.search("PASSWORD|SECRET|TOKEN|CLIENT|__URL", name):
                    assert set(variable["valueFrom"]) == {"secretKeyRef"}


def test_each_pod_has_only_its_own_secrets() -> None:
    """Only the consumer knows the webhooks' secret, only the page its token, training none."""
    found = resources(EVERYTHING)
    ours = {
        end: {n for n in environment(container(found, kind, end)) if "CONSUMER" not in n}
        for kind, end in [
            ("StatefulSet", "-consumer"),
            ("Deployment", "-dashboard"),
            ("CronJob", "-train"),
        ]
    }
    common = {
        "CHURNSTREAM_KAFKA__CLIENT",
        "CHURNSTREAM_SCHEMA_REGISTRY__PASSWORD",
        "CHURNSTREAM_SCHEMA_REGISTRY__USER",
    }
    notify = {"CHURNSTREAM_NOTIFY__SECRET", "CHURNSTREAM_NOTIFY__URL"}
    assert ours == {
        "-consumer": common | notify,
        "-dashboard": common | {"CHURNSTREAM_DASHBOARD__TOKEN"},
        "-train": set(),
    }


@each_values
def test_every_pod_takes_its_settings(values: Path, tmp_path: Path) -> None:
    """The variables of each pod are valid together with the ConfigMap."""
    found = resources(values)
    for pod in pods(found):
        for each in pod["containers"]:
            with pytest.MonkeyPatch.context() as patch:
                for name in environment(each):
                    is_json = name.endswith("__CLIENT")
                    patch.setenv(name, '{"sasl.password": "x"}' if is_json else "http://a-secret")
                assert settings_of(found, tmp_path)


def test_the_password_joins_the_other_properties(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Properties from the Secret are added to those of the ConfigMap."""
    monkeypatch.setenv("CHURNSTREAM_KAFKA__CLIENT", '{"sasl.password": "secret"}')
    client = settings_of(resources(SECURED), tmp_path).kafka.client
    assert (client["sasl.password"], client["sasl.username"]) == ("secret", "churnstream")


def test_models_come_from_where_they_are() -> None:
    """A claim is written by training alone; an image is a volume, too; MLflow needs none."""
    found = resources(EVERYTHING)
    assert mounted(container(found, "StatefulSet", "-consumer"))["/app/models"] is False
    assert mounted(container(found, "CronJob", "-train"))["/app/models"] is True

    (pod,) = pods([one(resources(IMAGE), "StatefulSet")])
    (volume,) = (v for v in pod["volumes"] if v["name"] == "models")
    assert volume["image"]["reference"].startswith("registry.example.com/models/")

    found = resources(MLFLOW)
    consumer = container(found, "StatefulSet", "-consumer")
    assert "/app/models" not in mounted(consumer)
    assert environment(consumer)["MLFLOW_TRACKING_URI"]["value"] == "http://mlflow:5000"
    (job,) = (r for r in found if r["kind"] == "Job" and "-train-" in r["metadata"]["name"])
    (pod,) = pods([job])
    assert "--mlflow" in pod["containers"][0]["args"]


def test_lag_decides_how_many() -> None:
    """With KEDA the StatefulSet says no number, and KEDA is told of topic and group."""
    found = resources(EVERYTHING)
    scaled = one(found, "ScaledObject")["spec"]
    assert "replicas" not in one(found, "StatefulSet")["spec"]
    assert scaled["scaleTargetRef"]["name"] == one(found, "StatefulSet")["metadata"]["name"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (2, 12)
    metadata = scaled["triggers"][0]["metadata"]
    assert (metadata["topic"], metadata["consumerGroup"]) == (
        "bank.raw.customers",
        "churnstream-bank",
    )
    metadata = one(resources(SCALED), "ScaledObject")["spec"]["triggers"][0]["metadata"]
    telcos = Settings.model_construct()
    assert metadata["topic"] == telcos.topics.input
    assert metadata["consumerGroup"] == telcos.consumer.group


def test_settings_that_change_restart_pods() -> None:
    """Pods carry a digest of the settings; Jobs, which cannot be changed, have one in the name."""

    def marks(*args: str) -> list[str]:
        found = resources(EVERYTHING, *args)
        pods = [one(found, "StatefulSet"), one(found, "Deployment")]
        digests = [p["spec"]["template"]["metadata"]["annotations"] for p in pods]
        names = [r["metadata"]["name"] for r in found if r["kind"] == "Job"]
        return [*(digest["checksum/config"] for digest in digests), *names]

    before, after = marks(), marks("--set", "config.log.level=debug")
    assert len(before) == 4
    assert marks() == before
    assert set(before) & set(after) == set()


def test_the_network_lets_through_what_is_named() -> None:
    """Metrics and page may be asked for; names, brokers and what is added may be reached."""
    policy = one(resources(SECURED), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    ports = {p["port"] for rule in policy["egress"] for p in rule["ports"]}
    assert ports == {53, 9093, 9100}
    policy = one(resources(EVERYTHING), "NetworkPolicy")["spec"]
    assert {p["port"] for rule in policy["egress"] for p in rule["ports"]} == {53, 9092, 9100, 8081}


def test_monitoring_finds_the_consumers() -> None:
    """The ServiceMonitor selects the Service, and labels it as the alert rules expect."""
    found = resources(EVERYTHING)
    monitor, service = one(found, "ServiceMonitor")["spec"], one(found, "Service", "-consumer")
    labels = service["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    set_to = {r["targetLabel"]: r["replacement"] for r in monitor["endpoints"][0]["relabelings"]}
    assert f'up{{job="{set_to["job"]}"}}' in (ROOT / "monitoring" / "alerts.yml").read_text()


@each_values
def test_selectors_select_their_own(values: Path) -> None:
    """What a Service, a budget or a controller selects are the pods that are meant."""
    found = resources(values)
    for resource in found:
        selector = resource.get("spec", {}).get("selector")
        if not selector or resource["kind"] in ("ServiceMonitor", "PersistentVolumeClaim"):
            continue
        wanted = selector.get("matchLabels", selector).items()
        component = resource["metadata"]["labels"]["app.kubernetes.io/component"]
        labels = [
            r["spec"]["template"]["metadata"]["labels"]
            for r in found
            if r["kind"] in ("StatefulSet", "Deployment", "Job")
        ]
        chosen = [its["app.kubernetes.io/component"] for its in labels if wanted <= its.items()]
        assert chosen == [component]


def test_every_value_has_its_place() -> None:
    """No value stands in values.yaml that no template reads."""
    templates = "".join(p.read_text() for p in (CHART / "templates").rglob("*") if p.is_file())

    def names(values: dict[str, Any]) -> set[str]:
        inner = [names(its) for key, its in values.items() if isinstance(its, dict)]
        return set(values).union(*inner)

    said = names(yaml.safe_load((CHART / "values.yaml").read_text()))
    contents = {"requests", "limits", "cpu", "memory", "format", "kafka", "log"}
    assert [n for n in sorted(said - contents) if not re.search(rf"\.{n}\b", templates)] == []
