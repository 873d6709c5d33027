"""Scores the file of an interval: produce, consume, check, publish. Run again, it repeats nothing.

The window of the topic that holds the file goes from task to task as offsets. `produce` answers
with the same window however often it is called, and every other task only reads it, or does
nothing where the work is done.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, TaskGroup

from churnstream_tasks import CLUSTER, DEFAULTS, QUALITY, Churnstream, params

SENT = "ti.xcom_pull(task_ids='produce')"
TO = ("--to", f"{{{{ {SENT}['to'] }}}}")
WINDOW = ("--from", f"{{{{ {SENT}['from'] }}}}", *TO)

with DAG(
    "kafka_batch",
    description="produce the interval's file → all in the topic → consume → quality gate → report",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["churnstream"],
    params={
        **params(*CLUSTER, "dataset", "batch_size", "model", "summary", "top_k"),
        **QUALITY,
    },
) as dag:
    topics = Churnstream(task_id="topics", command=["topics", "create"], settings=CLUSTER)
    produce = Churnstream(
        task_id="produce",
        command=["produce", "--mode", "batch", "--json"],
        settings=[*CLUSTER, "dataset", "batch_size"],
        reads_json=True,
    )
    arrived = Churnstream(
        task_id="all_in_topic",
        command=["audit", "--in-flight-ok", "--min-events", f"{{{{ {SENT}['rows'] }}}}", *WINDOW],
        settings=CLUSTER,
    )
    # An instance of its own lets it share the group with a running consumer. What the group has
    # scored it does not score again; and what waits before the window it does not jump over.
    consume = Churnstream(
        task_id="consume",
        command=[
            *("consume", "--mode", "batch", "--instance", "batch", *TO),
            *("--summary", ".churnstream/batch/summary.json"),
        ],
        settings=[*CLUSTER, "model"],
    )
    with TaskGroup("quality") as quality:
        Churnstream(task_id="audit", command=["audit", *WINDOW], settings=CLUSTER)
        Churnstream(
            task_id="dead_letters",
            command=[
                *("audit", "--max-dead-letters", "{{ params.max_dead_letters }}"),
                *WINDOW,
            ],
            settings=CLUSTER,
        )
        Churnstream(
            task_id="drift",
            command=[
                *("drift", "--small-ok", "--threshold", "{{ params.drift_threshold }}"),
                *WINDOW,
            ],
            settings=[*CLUSTER, "model"],
        )
    report = Churnstream(
        task_id="report",
        command=["report", *WINDOW],
        settings=[*CLUSTER, "model", "summary", "top_k"],
    )
    topics >> produce >> arrived >> consume >> quality >> report
