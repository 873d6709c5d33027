"""Writes the table of metrics in docs/operations.md from the metrics themselves.

A test checks that it is up to date.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from churnstream.observability.consumer_metrics import ConsumerMetrics
from churnstream.observability.liveness import ConsumerHealth, ProducerHealth
from churnstream.observability.notifier_metrics import NotifierMetrics
from churnstream.observability.producer_metrics import ProducerMetrics
from churnstream.pipeline.notify.notifier import NotifyCounts
from churnstream.settings import TopicSettings

DOCUMENT = Path(__file__).parents[1] / "docs" / "operations.md"
_BLOCK = re.compile(r"(<!-- metrics: [^\n]+ -->\n).*(<!-- end of metrics -->)", re.DOTALL)
_HEAD = "| Metric | Kind | Labels | Meaning |\n| --- | --- | --- | --- |\n"


def files() -> dict[Path, str]:
    """What the document should hold."""
    tables = (
        f"\n### {title}\n\n{_HEAD}{''.join(_rows(registry))}"
        for title, registry in registries().items()
    )
    block = "".join(tables)
    text = _BLOCK.sub(lambda found: f"{found[1]}{block}\n{found[2]}", DOCUMENT.read_text())
    return {DOCUMENT: text}


def registries() -> dict[str, CollectorRegistry]:
    """The metrics of each kind of process, by the heading of its table."""
    topics, notifier = TopicSettings(), CollectorRegistry()
    NotifierMetrics(notifier, NotifyCounts())
    return {
        "Metrics of a consumer": ConsumerMetrics(topics, ConsumerHealth(60)).registry,
        "And with --notify": notifier,
        "Metrics of a producer": ProducerMetrics(topics, ProducerHealth(60)).registry,
    }


def _rows(registry: CollectorRegistry) -> Iterator[str]:
    # The library tells a metric's labels only with its samples, which a new one does not have.
    for collector in registry._collector_to_names:
        labels = getattr(collector, "_labelnames", getattr(collector, "labels", ()))
        for family in collector.collect():
            shown = ", ".join(f"`{label}`" for label in labels)
            yield f"| `{_name(family)}` | {family.type} | {shown} | {family.documentation} |\n"


def _name(family: Metric) -> str:
    """As it is asked for."""
    return f"{family.name}_total" if family.type == "counter" else family.name


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content)
