"""Every setting: its name, default, bounds and meaning. A new one is declared here.

How to reach servers stands in `connection_settings.py`. Where the values come from is in
`settings_sources.py`: a file, the environment, flags.
"""

import contextlib
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, HttpUrl, Secret, SecretStr, field_validator, model_validator

from churnstream.connection_settings import KafkaSettings, SchemaRegistrySettings, Section


class TopicSettings(Section):
    """The topics, and how they are created where they do not exist."""

    input: str = Field("telco.raw.customers", description="customers, one event a record")
    output: str = Field("telco.churn.predictions", description="predictions")
    deadletter: str = Field("telco.deadletter", description="records that were rejected, untouched")
    checkpoint: str = Field(
        "telco.producer.checkpoints", description="the batch producer's position in its files"
    )
    notified: str = Field("telco.churn.notified", description="of whom webhooks were sent")
    output_format: Literal["json", "json-schema", "avro", "protobuf"] = Field(
        "json",
        description="of predictions: json, or avro, protobuf or json-schema with a schema registry",
    )
    newest: str | None = Field(
        None,
        min_length=1,
        description="the newest prediction of each customer, compacted; none: no such topic",
    )
    partitions: int = Field(
        3, ge=1, description="partitions of input, output and newest when created"
    )
    replication_factor: int = Field(1, ge=1, description="copies of each partition when created")

    @model_validator(mode="after")
    def _are_distinct(self) -> "TopicSettings":
        names = [self.input, self.output, self.deadletter, self.checkpoint, self.notified]
        if len(set(names)) < len(names):
            raise ValueError(
                "input, output, deadletter, checkpoint and notified must be five topics"
            )
        if self.newest in names:
            raise ValueError("newest must be a topic of its own")
        return self


class CustomerSettings(Section):
    """What a customer is."""

    schema_file: Path | None = Field(
        None, description="the schema; none: customers.yaml in the working folder, or Telco's"
    )


class ProducerSettings(Section):
    """Rows of customers into events."""

    mode: Literal["streaming", "batch"] = Field(
        "streaming", description="random customers until stopped, or the whole file in order"
    )
    dataset: Path | None = Field(
        None, description="file of customers; none: the one that the schema was made from"
    )
    events_per_sec: float = Field(10.0, gt=0, description="streaming: the rate to hold")
    max_events: int | None = Field(None, ge=1, description="streaming: stop after so many events")
    duration: float | None = Field(None, gt=0, description="streaming: stop after so many seconds")
    seed: int | None = Field(
        None, description="streaming: makes the choice of customers repeatable"
    )
    batch_size: int = Field(5000, ge=1, description="batch: rows between two checkpoints")
    checkpoint_file: Path = Field(
        Path(".churnstream/producer-checkpoint.json"),
        description="batch: the position in the file, for brokers without transactions",
    )
    resume: bool = Field(True, description="batch: go on where the last run stopped")


class ConsumerSettings(Section):
    """Events into predictions and dead letters."""

    mode: Literal["streaming", "batch"] = Field(
        "streaming", description="score until stopped, or a bounded window"
    )
    group: str = Field("churnstream", min_length=1, description="consumer group")
    instance: str = Field(
        "0", min_length=1, description="this process within the group; its transactions' identity"
    )
    delivery: Literal["exactly-once", "at-least-once"] = Field(
        "exactly-once", description="at-least-once trades the guarantee for latency"
    )
    group_protocol: Literal["classic", "consumer"] = Field(
        "classic", description="consumer: the new protocol of KIP-848, for brokers from 4.0"
    )
    batch_size: int = Field(
        5000, ge=1, description="maximum of events scored and committed at once"
    )
    reasons: Literal["top", "all", "none"] = Field(
        "top", description="explain predictions from the threshold on, all, or none"
    )
    max_messages: int | None = Field(None, ge=1, description="batch: stop after so many records")
    start: str | None = Field(
        None, description="batch: window start, a timestamp or PARTITION:OFFSET,…"
    )
    end: str | None = Field(
        None, description="batch: window end (exclusive), a timestamp or PARTITION:OFFSET,…"
    )


class ModelSettings(Section):
    """The model that scores."""

    path: str = Field(
        "models/telco-churn",
        min_length=1,
        description="folder of the saved model, or models:/NAME@ALIAS in MLflow's registry",
    )
    refresh: float = Field(
        30.0,
        gt=0,
        le=86_400,
        description="consumer: seconds between two looks for another model there",
    )
    challenger: str | None = Field(
        None,
        min_length=1,
        description="consumer: a second model for the same events, of which nothing is published",
    )
    trusted_types: tuple[str, ...] = Field(
        (), description="types that a pipeline of yours may hold beyond scikit-learn's plain ones"
    )
    seed: int = Field(42, ge=0, lt=2**32, description="training: split and folds")
    threshold: Literal["profit", "f1"] | float = Field(
        "profit", description="training: what the threshold maximises, profit or f1; or a number"
    )
    offer_cost: float | None = Field(
        None,
        ge=0,
        le=1e9,
        description="training: cost of an offer; none: what offers to everybody would bring in",
    )
    offer_success_rate: float = Field(
        0.3, ge=0, le=1, description="training: share of the churners whom an offer keeps"
    )
    months_kept: float = Field(
        12.0, ge=0, le=1200, description="training: months of revenue from each who is kept"
    )
    mlflow: bool = Field(
        False, description="training: log to MLflow (MLFLOW_TRACKING_URI, or the file mlflow.db)"
    )

    @field_validator("threshold", mode="before")
    @classmethod
    def _is_a_rule_or_a_share(cls, value: object) -> object:
        with contextlib.suppress(TypeError, ValueError):
            if value in ("profit", "f1") or 0 <= float(value) <= 1:  # type: ignore[arg-type]
                return value
        raise ValueError("must be profit, f1 or a number from 0 to 1")


class SummarySettings(Section):
    """The summary of a batch."""

    path: Path = Field(Path("reports/summary.json"), description="where the summary is written")
    top_k: int = Field(10, ge=0, description="how many customers at risk are listed")


class NotifySettings(Section):
    """A webhook for each customer who becomes likely to leave."""

    url: Secret[HttpUrl] | None = Field(
        None, description="consumer: where to POST; none: nowhere; may hold a password, never shown"
    )
    secret: SecretStr | None = Field(
        None, min_length=8, description="signs each webhook; none: they are unsigned; never shown"
    )
    timeout: float = Field(10.0, gt=0, le=300, description="seconds to wait for an answer")
    drain: float = Field(
        30.0, ge=0, description="batch: seconds to go on sending after the last event is scored"
    )


class MetricsSettings(Section):
    """Metrics and health of a running producer or consumer, over HTTP."""

    port: int | None = Field(
        None, ge=1, le=65535, description="serve /metrics, /livez and /readyz here; none: do not"
    )
    host: str = Field(
        "127.0.0.1", min_length=1, description="address to serve on; 0.0.0.0 in a container"
    )
    progress_timeout: float = Field(
        60.0, gt=0, description="seconds without progress after which /livez says no"
    )


class DashboardSettings(Section):
    """The live page."""

    host: str = Field(
        "127.0.0.1", min_length=1, description="address to serve on; others than this ask a token"
    )
    port: int = Field(8090, ge=0, le=65535, description="port to serve on; 0 for a free one")
    token: str | None = Field(
        None,
        min_length=8,
        repr=False,
        description="what a browser must know; none: made up where one is needed; never printed",
    )
    scrape: str | None = Field(
        None, description="HOST:PORT of processes with a metrics port to show, comma-separated"
    )


class LogSettings(Section):
    """Logs, always on stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="minimum level")
    format: Literal["console", "json"] = Field("console", description="readable or one JSON a line")
    interval: float = Field(
        30.0, gt=0, description="seconds between two lines on what a consumer scored"
    )


class Settings(Section):
    """Every setting of churnstream."""

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    customers: CustomerSettings = CustomerSettings()
    schema_registry: SchemaRegistrySettings = SchemaRegistrySettings()
    producer: ProducerSettings = ProducerSettings()
    consumer: ConsumerSettings = ConsumerSettings()
    model: ModelSettings = ModelSettings()
    summary: SummarySettings = SummarySettings()
    notify: NotifySettings = NotifySettings()
    metrics: MetricsSettings = MetricsSettings()
    dashboard: DashboardSettings = DashboardSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="before")
    @classmethod
    def _without_empty_sections(cls, sections: dict[str, Any]) -> dict[str, Any]:
        """A section whose settings are all commented out is null in YAML."""
        return {name: values for name, values in sections.items() if values is not None}


def named_after(settings: Settings, name: str) -> Settings:
    """The settings with names of topics, group and model for customers other than Telco's.

    Only where they are still Telco's, as in a `config.yaml` that lists every default.

    Args:
        name: Of the schema.
    """
    if TopicSettings().input == f"{name}.raw.customers":
        return settings
    own = {
        "topics": {
            "input": f"{name}.raw.customers",
            "output": f"{name}.churn.predictions",
            "deadletter": f"{name}.deadletter",
            "checkpoint": f"{name}.producer.checkpoints",
            "notified": f"{name}.churn.notified",
        },
        "consumer": {"group": f"churnstream-{name}"},
        "model": {"path": f"models/{name}-churn"},
    }
    sections = {}
    for section, names in own.items():
        given = getattr(settings, section)
        telcos = type(given).model_construct()
        unsaid = {k: text for k, text in names.items() if getattr(given, k) == getattr(telcos, k)}
        sections[section] = given.model_copy(update=unsaid)
    return settings.model_copy(update=sections)
