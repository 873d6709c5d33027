"""The Helm chart, rendered by a real helm: the one that is installed, or one built with Go."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jvm import cache_folder

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "churnstream"
VALUES = sorted((ROOT / "tests" / "helm" / "values").glob("*.yaml"))
KUBERNETES = "1.34"
_MODULE, _VERSION = "helm.sh/helm/v3/cmd/helm", "v3.21.4"
# As in its releases; without them it takes every cluster for a very old one.
_LINKED = "-s -w" + "".join(
    f" -X helm.sh/helm/v3/pkg/chartutil.k8sVersion{part}={number}"
    for part, number in zip(("Major", "Minor"), KUBERNETES.split("."), strict=True)
)

Resource = dict[str, Any]


def helm() -> str | None:
    """The program; None where there is neither helm nor Go to build it with."""
    built = cache_folder() / f"helm-{_VERSION}" / "helm"
    if installed := shutil.which("helm"):
        return installed
    if not built.exists() and shutil.which("go"):
        environment = os.environ | {"GOBIN": str(built.parent), "CGO_ENABLED": "0"}
        build = ["go", "install", f"-ldflags={_LINKED}", f"{_MODULE}@{_VERSION}"]
        subprocess.run(build, env=environment, check=True)
    return str(built) if built.exists() else None


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """Call helm, and come back with whatever it said."""
    program = helm()
    assert program
    return subprocess.run([program, *args], capture_output=True, text=True, check=False)


def template(*args: str) -> subprocess.CompletedProcess[str]:
    """Render a release named `churnstream` as for a cluster of the usual version."""
    return run("template", "churnstream", str(CHART), "--kube-version", KUBERNETES, *args)


@cache
def rendered(values: Path, *args: str) -> str:
    """Its resources, as YAML."""
    done = template("--values", str(values), *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def resources(values: Path, *args: str) -> list[Resource]:
    """The same, parsed."""
    return [one for one in yaml.safe_load_all(rendered(values, *args)) if one]


def pod_of(resource: Resource) -> Resource | None:
    """The specification of the pods that a resource makes, if it makes any."""
    if resource["kind"] == "Pod":
        return resource["spec"]  # type: ignore[no-any-return]
    spec = resource.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    return spec.get("template", {}).get("spec") if isinstance(spec, dict) else None


def pods(of: list[Resource]) -> list[Resource]:
    """The specifications of all pods."""
    return [pod for pod in map(pod_of, of) if pod]


def one(of: list[Resource], kind: str, end: str = "") -> Resource:
    """The resource of a kind whose name ends so."""
    (found,) = (r for r in of if r["kind"] == kind and r["metadata"]["name"].endswith(end))
    return found
