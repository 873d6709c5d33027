"""What the DAGs share: a task that runs one command, settings as parameters, and the alert.

A DAG file says which commands run in which order and nothing else. The application is called by the
path of its command, so Airflow needs none of its packages. Airflow's variables
`churnstream_command` and `churnstream_folder` say where it is; the default is this repository.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

from airflow.sdk import BaseNotifier, BaseOperator, Context, Param, Variable
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

ROOT = Path(__file__).parents[1]
ALERTS = "reports/alerts.jsonl"


class Setting(NamedTuple):
    """A setting of churnstream as a parameter of a DAG.

    Attributes:
        name: As in `config.yaml`.
        per_interval: Whether the value may hold codes of strftime for the start of the interval.
    """

    name: str
    flag: str
    default: Any
    schema: dict[str, Any]
    about: str
    per_interval: bool = False


_TEXT = {"type": "string", "minLength": 1}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_POSITIVE = {"type": "number", "exclusiveMinimum": 0}

SETTINGS = {
    "brokers": Setting(
        "kafka.brokers", "--broker", "127.0.0.1:9092", _TEXT, "HOST:PORT, comma-separated"
    ),
    "startup_timeout": Setting(
        "kafka.startup_timeout",
        "--startup-timeout",
        10.0,
        _POSITIVE,
        "Seconds to wait for a broker's first answer",
    ),
    "group": Setting("consumer.group", "--group", "churnstream", _TEXT, "Consumer group"),
    "model": Setting("model.path", "--model", "models/telco-churn", _TEXT, "Folder of the model"),
    "dataset": Setting(
        "producer.dataset",
        "--dataset",
        None,
        {"type": ["null", "string"]},
        "CSV or Parquet file, none: the bundled customers; may hold codes of strftime for the "
        "interval, as customers-%Y-%m-%d.csv",
        per_interval=True,
    ),
    "batch_size": Setting(
        "producer.batch_size",
        "--batch-size",
        5000,
        {"type": "integer", "minimum": 1},
        "Rows between two checkpoints",
    ),
    "summary": Setting(
        "summary.path",
        "--summary",
        "reports/summary.json",
        _TEXT,
        "Where the summary goes, its page beside it; codes of strftime as in dataset",
        per_interval=True,
    ),
    "top_k": Setting(
        "summary.top_k",
        "--top",
        10,
        {"type": "integer", "minimum": 0},
        "How many customers at risk are listed",
    ),
    "seed": Setting(
        "model.seed", "--seed", 42, {"type": "integer", "minimum": 0}, "Of split and folds"
    ),
    "threshold": Setting(
        "model.threshold",
        "--threshold",
        "profit",
        {"type": ["string", "number"]},
        "What the threshold maximises, profit or f1; or a number",
    ),
    "offer_cost": Setting(
        "model.offer_cost",
        "--offer-cost",
        None,
        {"type": ["null", "number"], "minimum": 0},
        "Cost of an offer; none: what offers to everybody would bring in",
    ),
    "offer_success_rate": Setting(
        "model.offer_success_rate",
        "--offer-success-rate",
        0.3,
        _SHARE,
        "Share of the churners whom an offer keeps",
    ),
    "months_kept": Setting(
        "model.months_kept",
        "--months-kept",
        12.0,
        {"type": "number", "minimum": 0},
        "Months of revenue from each who is kept",
    ),
}

CLUSTER = ("brokers", "startup_timeout", "group")

QUALITY = {
    "max_dead_letters": Param(
        0.05, **_SHARE, description="A larger share of the events in dead letters is a failure"
    ),
    "drift_threshold": Param(
        0.2, **_POSITIVE, description="A feature with a larger stability index has drifted"
    ),
}


def params(*names: str) -> dict[str, Param]:
    """Typed parameters for settings, with their defaults."""
    chosen = {name: SETTINGS[name] for name in names}
    return {n: Param(s.default, description=s.about, **s.schema) for n, s in chosen.items()}


class Churnstream(BaseOperator):
    """Runs one command of churnstream and answers with what it wrote to stdout.

    A parameter that is left at its default is not passed on, so that `config.yaml` and the
    environment of the application count.

    Args:
        command: Words of the command line; templates, but never seen by a shell.
        settings: Parameters of the DAG to pass on as flags.
        only_if: A template; unless it renders as True, the task is skipped.
        reads_json: Answer with the command's JSON instead of its last line.
    """

    template_fields = ("command", "only_if")
    ui_color = "#dcefe3"

    def __init__(
        self,
        *,
        command: Sequence[str],
        settings: Sequence[str] = (),
        only_if: str = "True",
        reads_json: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.command, self.settings = list(command), list(settings)
        self.only_if, self.reads_json = only_if, reads_json
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Context) -> Any:
        """Run the command; its failure is that of the task, with the reason that it gave."""
        if self.only_if != "True":
            raise AirflowSkipException("not asked for")
        output, complaint, code = self._run([*self.command, *self._flags(context)])
        lines = [line for line in output.splitlines() if line.strip()]
        if code:
            reason = complaint.removeprefix("Error: ") or next(reversed(lines), "it said nothing")
            raise AirflowException(f"churnstream {self.command[0]}: {reason} (exit code {code})")
        return json.loads(output) if self.reads_json else next(reversed(lines), "")

    def on_kill(self) -> None:
        """Let the command finish what it has in hand, and end."""
        if self._process:
            self._process.terminate()

    def _run(self, arguments: list[str]) -> tuple[str, str, int]:
        """Run to the end; stdout, the error on stderr and the exit code."""
        folder = Variable.get("churnstream_folder", default=str(ROOT))
        program = Variable.get(
            "churnstream_command", default=str(ROOT / ".venv" / "bin" / "churnstream")
        )
        self.log.info("in %s: churnstream %s", folder, " ".join(arguments))
        complaint = ""
        with (
            tempfile.TemporaryFile("w+") as out,
            subprocess.Popen(
                [program, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
            ) as self._process,
        ):
            for line in self._process.stderr or ():
                self.log.info("%s", line.rstrip())
                if line.startswith("Error: "):
                    complaint = line.strip()
            code = self._process.wait()
            out.seek(0)
            output = out.read()
        self.log.info("%s", output)
        return output, complaint, code

    def _flags(self, context: Context) -> list[str]:
        flags = []
        for name in self.settings:
            setting, value = SETTINGS[name], context["params"][name]
            if value != setting.default:
                given = _interval(context).strftime(value) if setting.per_interval else str(value)
                flags += [setting.flag, given]
        return flags


def _interval(context: Context) -> datetime:
    """The start of the interval; a run by hand may have none, then when it was asked for."""
    start: datetime = context.get("data_interval_start") or context["dag_run"].run_after
    return start


class Alert(BaseNotifier):
    """Says that a task failed for good, and why.

    Always in the task's log and as a line of JSON in `reports/alerts.jsonl`; also as a POST of
    `{"text": …}`, which chat services take, to the address in the variable
    `churnstream_alert_url`.
    """

    def notify(self, context: Context) -> None:
        """Say it."""
        task = context["task_instance"]
        reason = " ".join(str(context.get("exception") or "it was killed").split())
        about = {
            "at": datetime.now(UTC).isoformat(),
            "dag": task.dag_id,
            "task": task.task_id,
            "run": task.run_id,
            "attempt": task.try_number,
            "reason": reason,
        }
        text = f"{task.dag_id}.{task.task_id} failed in {task.run_id}: {reason}"
        self.log.error("%s", text)
        path = Path(Variable.get("churnstream_folder", default=str(ROOT)), ALERTS)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(about) + "\n")
        if url := Variable.get("churnstream_alert_url", default=None):
            data = json.dumps({"text": text}).encode()
            request = Request(url, data, {"Content-Type": "application/json"})
            with urlopen(request, timeout=10):
                pass


# How long a try waits for the next is Airflow's own setting, core.default_task_retry_delay.
DEFAULTS = {"owner": "churnstream", "retries": 2, "on_failure_callback": Alert()}
