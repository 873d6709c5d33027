"""A real API server takes what the chart makes, and takes the changes between two releases."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from api_server import NAMESPACE, ApiServer
from documents import ROOT, blocks
from helm_chart import CHART, VALUES, resources, run

OF_OPERATORS = ("ServiceMonitor", "ScaledObject")  # their kinds are not installed here
# Volumes from images are newer than this server's PodSecurity, which lets them in from 1.33 on.
TOO_NEW = (
    'Warning: would violate PodSecurity "restricted:latest": restricted volume types '
    '(volume "models" uses restricted volume type "unknown")\n'
)
VALUES_BY_NAME = {path.stem: path for path in VALUES}


def without_operators(values: Path) -> str:
    """The resources that the server knows by itself, as YAML."""
    found = [one for one in resources(values) if one["kind"] not in OF_OPERATORS]
    return yaml.safe_dump_all(found)


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_the_server_takes_every_resource(server: ApiServer, values: Path) -> None:
    """Each is accepted where PodSecurity is "restricted", with no warning."""
    given = without_operators(values)
    done = server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", given=given)
    expected = TOO_NEW if values.stem == "image" else ""
    assert (done.returncode, done.stderr) == (0, expected)
    assert done.stdout.count("(server dry run)") == given.count("\nkind: ")


def test_the_pod_of_the_document_is_taken(server: ApiServer) -> None:
    """The pod that docs/kubernetes.md has for copying a model is allowed, too."""
    (given,) = (
        b.text for b in blocks(ROOT / "docs" / "kubernetes.md", "yaml") if "kind:" in b.text
    )
    done = server.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", given=given)
    assert (done.returncode, done.stderr) == (0, "")


def test_pod_security_is_at_work(server: ApiServer) -> None:
    """The test above would notice a pod that may do more."""
    given = without_operators(VALUES_BY_NAME["minimal"]).replace(
        "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"
    )
    done = server.kubectl("apply", "--dry-run=server", "-f", "-", given=given)
    assert done.returncode == 1  # the pod of `helm test`
    assert "allowPrivilegeEscalation != false" in done.stderr
    assert "Warning: would violate PodSecurity" in done.stderr


def test_a_release_is_upgraded_and_rolled_back(server: ApiServer) -> None:
    """Nothing is changed that Kubernetes forbids to change, and the models outlive the release."""

    def helm(command: str, *values: str) -> None:
        sets = [word for value in values for word in ("--set", value)]
        own = ["--kubeconfig", str(server.config), "--namespace", NAMESPACE]
        done = run(*command.split(), *sets, *own)
        assert done.returncode == 0, done.stderr

    def names(kind: str) -> list[str]:
        return server.kubectl("get", kind, "--output=name").stdout.split()

    minimal, secured = (
        f"churnstream {CHART} --values {VALUES_BY_NAME[name]}" for name in ("minimal", "secured")
    )
    helm(f"install {minimal}", "train.enabled=true")
    jobs = names("job")
    assert len(jobs) == 2
    helm(f"upgrade {secured}", "topics.create=true", "models.claim.name=")
    assert len(names("job")) == 1
    assert names("deployment") == ["deployment.apps/churnstream-dashboard"]
    helm("rollback churnstream 1")
    assert names("job") == jobs
    helm(f"upgrade {secured}")  # with a claim of one's own
    helm(f"upgrade {minimal}")  # and back to the chart's, which was kept
    helm("uninstall churnstream")
    assert names("statefulset,job,deployment,service,networkpolicy,poddisruptionbudget") == []
    assert names("persistentvolumeclaim") == ["persistentvolumeclaim/churnstream-models"]
    helm(f"install {minimal}")


def test_the_next_commands_are_said(server: ApiServer) -> None:
    """What stands below an installation names the pods, the claim and the page as they are."""
    own = ["--kubeconfig", str(server.config), "--namespace", NAMESPACE]
    values = str(VALUES_BY_NAME["secured"])
    done = run("install", "mine", str(CHART), "--values", values, "--dry-run=server", *own)
    assert done.returncode == 0, done.stderr
    made, _, notes = done.stdout.partition("NOTES:")

    for name in ("mine-churnstream-dashboard", "mine-churnstream-consumer"):
        assert f"  name: {name}\n" in made
    assert "svc/mine-churnstream-dashboard 8090" in notes
    assert "logs mine-churnstream-consumer-0" in notes
    assert "from the claim models" in notes
