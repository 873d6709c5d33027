"""What an orchestrator asks of the commands: windows, limits, a detached consumer, promotion."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from builders import event_json
from churnstream.model.manifest import load
from integration.flow import Flow, Sent, churnstream, error_in, until, write_customers

KEY = b"7590-VHVEG"


def send_file(flow: Flow, *flags: object) -> dict[str, Any]:
    """Send a file of 10 customers; the answer."""
    path = flow.folder / "customers.csv"
    write_customers(path, 10)
    ran = flow.run("produce --mode batch --json", "--dataset", path, *flags)
    assert ran.code == 0, ran.err
    answer: dict[str, Any] = json.loads(ran.out)
    return answer


def counted(flow: Flow, window: dict[str, Any]) -> int:
    """How many events the topic holds between the offsets of an answer."""
    flags = ("--from", window["from"], "--to", window["to"])
    events: int = json.loads(flow.run("audit --json --in-flight-ok", *flags).out)["events"]
    return events


def test_window_of_a_file(flow: Flow) -> None:
    """A file's window holds its rows, and stays the same when others send or it is sent again."""
    flow.send([Sent(event_json(), KEY)] * 3)
    window = send_file(flow)
    assert (window["rows"], window["sent"], counted(flow, window)) == (10, 10, 10)

    flow.send([Sent(event_json(), KEY)] * 3)
    assert send_file(flow) == window | {"sent": 0}

    again = send_file(flow, "--no-resume")
    assert (again["sent"], counted(flow, again)) == (10, 10)
    assert again["from"] != window["from"]


def test_window_of_a_file_sent_before(flow: Flow) -> None:
    """Where the beginning was not noted, the window begins with the topic, and misses no row."""
    window = send_file(flow)
    flow.settings.producer.checkpoint_file.with_suffix(".stretches.json").unlink()
    flow.send([Sent(event_json(), KEY)])
    assert send_file(flow)["from"] == window["from"] == "0:0,1:0,2:0"


def test_json_needs_batch_mode(flow: Flow) -> None:
    """Streaming has no window to answer with."""
    ran = flow.run("produce --json")
    assert (ran.code, ran.error) == (2, "--json goes with --mode batch")


def test_broken_window_file(flow: Flow) -> None:
    """A file that is none of ours is named and not overwritten."""
    path = flow.settings.producer.checkpoint_file.with_suffix(".stretches.json")
    path.write_text("no JSON")
    write_customers(flow.folder / "customers.csv", 1)
    ran = flow.run("produce --mode batch --json", "--dataset", flow.folder / "customers.csv")
    assert ran.code == 1
    assert f"{path} cannot be read" in ran.error
    assert path.read_text() == "no JSON"


def test_limits_of_audit(flow: Flow) -> None:
    """Too few events, or too large a share of dead letters, is exit 1 with the figures."""
    flow.send([*[Sent(event_json(), KEY)] * 3, Sent(b"no JSON", KEY)])
    flow.consume()
    assert flow.run("audit --min-events 4 --max-dead-letters 0.25").code == 0

    few = flow.run("audit --min-events 5")
    assert (few.code, few.error) == (1, "there are 4 events, fewer than 5")
    bad = flow.run("audit --max-dead-letters 0.2")
    assert bad.code == 1
    assert bad.error.startswith("1 of 4 events are dead letters, more than 20.0%")


@pytest.mark.parametrize("events", [0, 3])
def test_small_window_of_drift(flow: Flow, events: int) -> None:
    """A window too small to tell is rejected, or passed over if that is asked for."""
    flow.send([Sent(event_json(), KEY)] * events)
    flow.consume()
    rejected = flow.run("drift")
    assert rejected.code == 1
    passed = flow.run("drift --small-ok")
    assert passed.code == 0
    assert rejected.error in passed.err


def test_health_says_the_problem(flow: Flow) -> None:
    """What is wrong is the error, too, besides the JSON."""
    flow.send([Sent(event_json(), KEY)])
    ran = flow.run("health")
    assert [ran.error] == json.loads(ran.out)["problems"]


def test_detached_consumer(flow: Flow) -> None:
    """It works in the background, is never started twice, and is started again once it is dead."""
    pid_file = flow.folder / "run" / "consumer.pid"

    def detach() -> str:
        with flow.process("consume", "--detach", pid_file) as process:
            assert process.wait() == 0, process.err
            return process.out

    flow.send([Sent(event_json(), KEY)])
    said = detach()
    pid = int(pid_file.read_text())
    try:
        assert f"consumer started as process {pid}" in said
        assert detach() == f"consumer runs already, as process {pid}\n"
        until(lambda: len(flow.predictions()) == 1)
    finally:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not psutil.pid_exists(pid) or is_dead(pid))
    assert "1 scored" in pid_file.with_suffix(".log").read_text()

    assert "started" in detach()
    os.kill(int(pid_file.read_text()), signal.SIGKILL)


def test_what_cannot_be_recorded_does_not_run(flow: Flow) -> None:
    """On a full disk nothing is left running of which nobody knows the number."""
    pid_file = flow.folder / "consumer.pid"
    pid_file.symlink_to("/dev/full")
    with flow.process("consume", "--detach", pid_file) as process:
        assert process.wait() == 1
        error = error_in(process.err)

    assert error.startswith(f"--detach {pid_file}: ")
    assert error.endswith("; the consumer was stopped again")
    everything = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert [words for words in everything if str(flow.config) in words] == []


def test_detached_consumer_without_a_model(flow: Flow) -> None:
    """One that cannot work is no success: the reason is that of the process."""
    pid_file, model = flow.folder / "consumer.pid", flow.folder / "no-model"
    with flow.process("consume", "--detach", pid_file, "--model", model) as process:
        assert process.wait() == 1
        assert error_in(process.err).startswith("the consumer ended at its start: no model in")


def is_dead(pid: int) -> bool:
    """Whether nothing but its exit code is left of a process."""
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_promotion(model_folder: Path, tmp_path: Path) -> None:
    """A first model becomes the champion, one that is not worse replaces it, a worse one not."""
    champion, worse = tmp_path / "champion", tmp_path / "worse"
    first = churnstream("promote", model_folder, "--model", champion)
    assert (first.code, "is now the champion: there was no champion" in first.out) == (0, True)
    version = load(champion).version

    path = tmp_path / "few.csv"
    write_customers(path, 7_043)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:200]))
    assert churnstream("train", "--dataset", path, "--model", worse).code == 0
    flags = ("--dataset", path, "--model", champion, "--json")
    verdict = json.loads(churnstream("promote", worse, *flags).out)
    assert (verdict["better"], "the champion's" in verdict["reason"]) == (False, True)
    assert load(champion).version == version

    equal = tmp_path / "equal"
    shutil.copytree(model_folder, equal)
    dry = churnstream("promote", equal, "--model", champion, "--dry-run")
    assert (dry.code, "would become the champion" in dry.out) == (0, True)


def test_promotion_on_other_customers(model_folder: Path, tmp_path: Path) -> None:
    """Customers that the candidate was not trained on have no part that it was spared."""
    path = tmp_path / "other.csv"
    write_customers(path, 500)
    flags = ("--model", model_folder, "--dataset", path)
    ran = churnstream("promote", model_folder, *flags)
    assert ran.code == 1
    assert "was trained on other customers; name their file: --dataset" in ran.error


def test_promotion_into_a_registry(model_folder: Path) -> None:
    """An address in a registry is no folder."""
    ran = churnstream("promote", model_folder, "--model", "models:/telco-churn@champion")
    assert (ran.code, ran.error.startswith("--model must be a folder")) == (2, True)
