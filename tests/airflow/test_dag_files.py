"""The DAG files as Airflow reads them, without running anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EDGES = {
    "churn_training": {"train": {"compare"}, "compare": {"promote"}, "promote": set()},
    "kafka_streaming": {
        "broker_and_topics": {"consumer_runs"},
        "consumer_runs": {"progress_and_lag"},
        "progress_and_lag": {"drift", "dead_letters"},
        "drift": set(),
        "dead_letters": set(),
    },
    "kafka_batch": {
        "topics": {"produce"},
        "produce": {"all_in_topic"},
        "all_in_topic": {"consume"},
        "consume": {"quality.audit", "quality.dead_letters", "quality.drift"},
        "quality.audit": {"report"},
        "quality.dead_letters": {"report"},
        "quality.drift": {"report"},
        "report": set(),
    },
}
EACH = pytest.mark.parametrize("name", EDGES)


@pytest.fixture(scope="module")
def bag() -> Any:
    """All DAGs of the folder; with safe mode on, a file could be passed over in silence."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=str(ROOT / "dags"), safe_mode=False)


def test_import(bag: Any) -> None:
    """Every file can be imported, and the three DAGs are all there is."""
    assert bag.import_errors == {}
    assert set(bag.dag_ids) == set(EDGES)


@EACH
def test_structure(bag: Any, name: str) -> None:
    """The tasks run in the order that the documents draw."""
    dag = bag.dags[name]
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == EDGES[name]


@EACH
def test_schedule(bag: Any, name: str) -> None:
    """No run of the past is made up for, and no two runs work at the same time."""
    dag = bag.dags[name]
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert all(task.retries == 2 for task in dag.tasks)


@EACH
def test_serialization(bag: Any, name: str) -> None:
    """What the scheduler and the page get to see is the whole DAG."""
    from airflow.serialization.serialized_objects import DagSerialization

    back = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags[name]))
    assert set(back.task_dict) == set(EDGES[name])


@EACH
def test_alert(bag: Any, name: str) -> None:
    """The failure of any task is alerted by the notifier."""
    from churnstream_tasks import Alert

    for task in bag.dags[name].tasks:
        assert [type(callback).__name__ for callback in task.on_failure_callback] == [
            Alert.__name__
        ]


def test_defaults() -> None:
    """A parameter that is a setting has the setting's default, and passes its own check."""
    from churnstream_tasks import SETTINGS, params

    defaults = yaml.safe_load((ROOT / "config.yaml").read_text())
    for name, param in params(*SETTINGS).items():
        section, _, key = SETTINGS[name].name.partition(".")
        assert param.resolve() == defaults[section][key], name
        assert param.schema["type"], name


@EACH
def test_parameters(bag: Any, name: str) -> None:
    """Every parameter is typed and says what it means."""
    for key, param in bag.dags[name].params.items():
        schema = bag.dags[name].params.get_param(key).schema
        assert schema["type"], key
        assert bag.dags[name].params.get_param(key).description, (key, param)


def test_no_work_at_import() -> None:
    """Importing the files writes nothing, connects to nothing and starts no process."""
    program = """
import sys
from airflow.sdk import DAG, Param, TaskGroup  # which do some work of their own
DAG("another", params={"one": Param(1, type="integer")})
seen = []
def watch(event, args):
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if writes or event in ("socket.connect", "subprocess.Popen", "os.system", "os.fork"):
        seen.append((event, args))
sys.addaudithook(watch)
sys.dont_write_bytecode = True
import kafka_streaming_dag, kafka_batch_dag, churn_training_dag
assert not seen, seen
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT / "dags",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
