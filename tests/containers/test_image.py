"""The image by itself: how large it is, what it may do, and that it works with no more rights."""

from __future__ import annotations

import json
import re
import time
import tomllib

import pytest
from docker_engine import Engine, EngineError
from stack import until
from stand_ins import BASE, IMAGES, ROOT

CONSUMER, TRAINER = IMAGES
GUARDED = (
    *("--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
    *("--tmpfs=/tmp", "--memory=1g", "--pids-limit=512"),
)
MOUNTED = ("--volume=/app/models", "--volume=/app/reports", "--volume=/app/.churnstream")
MAX_BYTES = 450_000_000
CUSTOMERS = "/opt/churnstream/lib/python3*/site-packages/churnstream/data/customers.csv.gz"
CUSTOMER = json.dumps(
    {"customerID": "0001-MAYER", "gender": "Female", "SeniorCitizen": 0, "Partner": "Yes"}
    | {"Dependents": "No", "tenure": 1, "PhoneService": "Yes", "MultipleLines": "No"}
    | {"InternetService": "Fiber optic", "OnlineSecurity": "No", "OnlineBackup": "No"}
    | {"DeviceProtection": "No", "TechSupport": "No", "StreamingTV": "Yes"}
    | {"StreamingMovies": "No", "Contract": "Month-to-month", "PaperlessBilling": "Yes"}
    | {"PaymentMethod": "Electronic check", "MonthlyCharges": 79.5, "TotalCharges": 79.5}
)
IMPORT_ALL = """
import importlib, pkgutil, churnstream
for module in pkgutil.walk_packages(churnstream.__path__, "churnstream.", lambda name: None):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            print(error)
print("done")
"""


def shell(docker: Engine, image: str, text: str, *flags: str) -> str:
    """Type something into a new container that may do nothing but what the compose file lets it."""
    return docker.docker("run", "--rm", *GUARDED, *flags, image, "sh", "-euc", text)


def test_size(docker: Engine, figures: dict[str, str]) -> None:
    """The image of a consumer and the live page is under 450 MB."""
    sizes = {
        image: int(docker.docker("image", "inspect", "--format={{.Size}}", image))
        for image in [*IMAGES, BASE]
    }
    figures.update({f"megabytes of {name}": f"{size / 1e6:.0f}" for name, size in sizes.items()})
    assert sizes[CONSUMER] < MAX_BYTES


def test_labels(docker: Engine) -> None:
    """Its labels say what it is and of which version."""
    format_ = "--format={{json .Config.Labels}}"
    labels = json.loads(docker.docker("image", "inspect", format_, CONSUMER))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}title"] == project["name"]
    assert labels[f"{prefix}version"] == project["version"]
    assert labels[f"{prefix}description"] == project["description"]
    assert labels[f"{prefix}licenses"] == project["license"]


@pytest.mark.parametrize("image", IMAGES)
def test_nothing_to_build_or_install_with(docker: Engine, image: str) -> None:
    """Neither a compiler nor pip is in it, nor what builds the package."""
    found = shell(docker, image, "command -v pip gcc cc make git || true")
    assert found == ""
    for module in ("pip", "hatchling", "wheel"):
        with pytest.raises(EngineError, match=f"No module named {module}"):
            shell(docker, image, f"python -m {module}")


def test_user_and_rights(docker: Engine) -> None:
    """It runs as user 10001, without a capability, and writes nowhere but to memory and volumes."""
    ask = "id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; touch /app/x || true"
    said = shell(docker, CONSUMER, ask)
    assert said.split() == ["10001", "CapEff:", "0000000000000000", "NoNewPrivs:", "1"]
    assert shell(docker, CONSUMER, "touch models/x reports/x .churnstream/x", *MOUNTED) == ""


def test_a_model_is_made_and_used(docker: Engine) -> None:
    """What was left out of the libraries is missed by nobody who trains or scores."""
    models = ("--volume=shared-models:/app/models",)
    shell(docker, TRAINER, "churnstream train", *models)
    for ending in ("csv", "xlsx", "parquet"):
        scored = f"/tmp/scored.{ending}"
        command = f"churnstream batch-predict --input {CUSTOMERS} --output {scored}"
        assert shell(docker, TRAINER, f"{command}; ls {scored}", *models).endswith(f"{scored}\n")
    for image in IMAGES:
        said = shell(docker, image, f"churnstream predict '{CUSTOMER}'", *models)
        assert "churn_probability" in said


@pytest.mark.parametrize("image", IMAGES)
def test_every_module_can_be_imported(docker: Engine, image: str) -> None:
    """No library lacks a piece that it loads; whole ones of other extras may be absent."""
    assert shell(docker, image, f"python -c '{IMPORT_ALL}'").split("\n")[-2] == "done"


def test_first_process_is_an_init(docker: Engine) -> None:
    """A process that lost its parent does not stay, with no flag to ask for it."""
    command = ("sh", "-c", "(sleep 0.1 &); exec sleep 600")
    docker.docker("run", "--detach", "--name=reaper", *GUARDED, CONSUMER, *command)
    first = docker.docker("exec", "reaper", "cat", "/proc/1/comm")
    until(lambda: sleeping(docker, "reaper") == ["S"], 20)  # the other would be "Z" for ever
    docker.docker("rm", "--force", "reaper")
    assert first == "tini\n"


def sleeping(docker: Engine, container: str) -> list[str]:
    """The states of all processes `sleep` in a container."""
    stat = docker.docker("exec", container, "sh", "-c", "cat /proc/[0-9]*/stat")
    return re.findall(r"\(sleep\) (\w)", stat)


def test_a_stop_is_heard(docker: Engine) -> None:
    """`docker stop` ends the live page in an orderly way, long before it would be killed."""
    command = ("churnstream", "dashboard", "--host", "0.0.0.0")
    docker.docker("run", "--detach", "--name=page", *GUARDED, CONSUMER, *command)
    until(lambda: "Ctrl-C" in docker.docker("logs", "page"))
    began = time.monotonic()
    docker.docker("stop", "--time=60", "page")
    assert time.monotonic() - began < 30
    assert docker.docker("inspect", "--format={{.State.ExitCode}}", "page") == "0\n"
    docker.docker("rm", "page")
