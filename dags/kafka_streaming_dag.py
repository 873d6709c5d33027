"""Watches the stream: broker, consumer, progress, drift and dead letters. Alerts on failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from churnstream_tasks import CLUSTER, DEFAULTS, QUALITY, Churnstream, params

SINCE = (
    "{{ (dag_run.run_after - macros.timedelta(minutes=params.window_minutes))"
    ".strftime('%Y-%m-%dT%H:%M:%SZ') }}"
)

with DAG(
    "kafka_streaming",
    description="broker and topics → consumer → progress and lag → drift, dead letters",
    schedule=timedelta(minutes=5),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["churnstream"],
    params={
        **params(*CLUSTER, "model"),
        "start_consumer": Param(
            True,
            type="boolean",
            description="Keep a consumer running; off where a supervisor does: systemd, containers",
        ),
        "max_lag": Param(10_000, type="integer", minimum=0, description="More lag is a failure"),
        "max_age": Param(
            60.0,
            type="number",
            minimum=0,
            description="While events wait, the newest outcome is younger than so many seconds",
        ),
        "window_minutes": Param(
            60,
            type="integer",
            minimum=1,
            description="What drift and dead letters are looked at over",
        ),
        **QUALITY,
    },
) as dag:
    cluster = Churnstream(
        task_id="broker_and_topics", command=["topics", "describe"], settings=CLUSTER
    )
    consumer = Churnstream(
        task_id="consumer_runs",
        command=["consume", "--detach", ".churnstream/consumer.pid"],
        settings=[*CLUSTER, "model"],
        only_if="{{ params.start_consumer }}",
    )
    progress = Churnstream(
        task_id="progress_and_lag",
        command=[
            *("health", "--max-lag", "{{ params.max_lag }}"),
            *("--max-age", "{{ params.max_age }}"),
        ],
        settings=CLUSTER,
        trigger_rule="none_failed",
    )
    drift = Churnstream(
        task_id="drift",
        command=[
            *("drift", "--small-ok", "--threshold", "{{ params.drift_threshold }}"),
            *("--from", SINCE),
        ],
        settings=[*CLUSTER, "model"],
    )
    dead_letters = Churnstream(
        task_id="dead_letters",
        command=[
            *("audit", "--in-flight-ok", "--max-dead-letters", "{{ params.max_dead_letters }}"),
            *("--from", SINCE),
        ],
        settings=CLUSTER,
    )
    cluster >> consumer >> progress >> [drift, dead_letters]
