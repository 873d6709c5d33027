"""The workflows for GitHub run what .ci/run runs, and may do no more than they must."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

_each = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def jobs(path: Path) -> dict[str, Any]:
    """The jobs of a workflow by name."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
    return found


def called(path: Path) -> Iterator[str]:
    """The make targets that a workflow calls, those of a matrix included."""
    for job in jobs(path).values():
        matrix = job.get("strategy", {}).get("matrix", {})
        yield from (entry["target"] for entry in matrix.get("include", ()))
        for step in job["steps"]:
            yield from re.findall(r"\bmake ([a-z-]+)", step.get("run", ""))


@_each
def test_actions_are_pinned(path: Path) -> None:
    """An action is named by its commit, and a person reads its version beside it."""
    used = re.findall(r"uses: (.*)", path.read_text())
    assert used
    assert [
        u for u in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", u)
    ] == []


def test_an_action_is_one_commit() -> None:
    """All workflows use the same commit of an action."""
    used = {u for path in WORKFLOWS for u in re.findall(r"uses: (\S+)", path.read_text())}
    assert len({name.partition("@")[0] for name in used}) == len(used)


@_each
def test_rights_are_least(path: Path) -> None:
    """A workflow may read at most, and what may write is a job that says so."""
    workflow = yaml.safe_load(path.read_text())
    assert set(workflow["permissions"].items()) <= {("contents", "read")}
    writing = {name for name, job in jobs(path).items() if "write" in str(job.get("permissions"))}
    assert writing <= {"publish"}


@_each
def test_no_token_is_left_for_what_runs(path: Path) -> None:
    """What a checkout fetched with is not there any more when code of the project runs."""
    steps = [step for job in jobs(path).values() for step in job["steps"]]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@_each
def test_jobs_end(path: Path) -> None:
    """Every job has a time limit, and two runs of one thing are not at work at once."""
    assert all(job["timeout-minutes"] <= 60 for job in jobs(path).values())
    assert "concurrency" in yaml.safe_load(path.read_text())


@_each
def test_targets_exist(path: Path) -> None:
    """The Makefile has every target that a workflow calls."""
    assert set(called(path)) <= TARGETS


def test_nothing_of_ci_is_left_out() -> None:
    """Every target that .ci/run calls is called on GitHub as well."""
    steps = set(re.findall(r"^step make (.+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE))
    assert steps <= set(called(ROOT / ".github" / "workflows" / "checks.yml"))


def test_all_supported_pythons_are_tested() -> None:
    """From the oldest that the package allows to 3.14."""
    oldest = re.search(r'requires-python = ">=(3\.\d+)"', (ROOT / "pyproject.toml").read_text())
    tested = jobs(ROOT / ".github" / "workflows" / "checks.yml")["test"]["strategy"]["matrix"]
    assert oldest
    assert tested["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert tested["python"][0] == oldest[1]
