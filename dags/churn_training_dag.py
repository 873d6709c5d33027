"""Trains a model, and puts it in the champion's place if it is not worse.

A running consumer looks at the champion's folder every 30 seconds and takes it over by itself.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, Param

from churnstream_tasks import DEFAULTS, Churnstream, params

TRAINING = ("dataset", "seed", "threshold", "offer_cost", "offer_success_rate", "months_kept")

with DAG(
    "churn_training",
    description="train → compare with the champion → promote or not",
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
    tags=["churnstream"],
    params={
        **params(*TRAINING, "model"),
        "candidate": Param(
            "models/candidate", type="string", minLength=1, description="Folder of the new model"
        ),
    },
) as dag:
    train = Churnstream(
        task_id="train",
        command=["train", "--model", "{{ params.candidate }}"],
        settings=TRAINING,
    )
    compare = Churnstream(
        task_id="compare",
        command=["promote", "{{ params.candidate }}", "--dry-run", "--json"],
        settings=["dataset", "model"],
        reads_json=True,
    )
    promote = Churnstream(
        task_id="promote",
        command=["promote", "{{ params.candidate }}"],
        settings=["dataset", "model"],
        only_if="{{ ti.xcom_pull(task_ids='compare')['better'] }}",
    )
    train >> compare >> promote
