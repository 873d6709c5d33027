"""Writes the Grafana dashboard: panels in rows of three, from a table of titles and queries.

A test checks that it is up to date, and that it asks for metrics that exist.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

PATH = Path(__file__).parents[1] / "monitoring" / "grafana" / "dashboards" / "churnstream.json"
_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 3
_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_RATE = "[$__rate_interval]"


class Panel(NamedTuple):
    """A chart.

    Attributes:
        queries: PromQL by legend.
    """

    title: str
    unit: str
    queries: dict[str, str]


def _quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{_RATE})))"


PANELS = (
    Panel(
        "Events in and out",
        "ops",
        {
            "read": f"sum(rate(messaging_client_consumed_messages_total{_RATE}))",
            "sent to {{messaging_destination_name}}": "sum by (messaging_destination_name) "
            f'(rate(messaging_client_sent_messages_total{{role="consumer"}}{_RATE}))',
        },
    ),
    Panel("Lag by partition", "short", {"{{partition}}": "churnstream_consumer_lag"}),
    Panel(
        "Latency from event to commit",
        "s",
        {
            "median": _quantile(0.5, "churnstream_event_latency_seconds"),
            "95 %": _quantile(0.95, "churnstream_event_latency_seconds"),
        },
    ),
    Panel(
        "Dead letters by reason",
        "ops",
        {"{{reason}}": f"sum by (reason) (rate(churnstream_dead_letters_total{_RATE}) > 0)"},
    ),
    Panel(
        "Batches",
        "ops",
        {
            "committed": f"sum(rate(churnstream_transactions_committed_total{_RATE}))",
            "rolled back": f"sum(rate(churnstream_transactions_aborted_total{_RATE}))",
            "rebalances": f"sum(rate(churnstream_rebalances_total{_RATE}))",
        },
    ),
    Panel(
        "Time of a batch by stage",
        "s",
        {
            "{{stage}}": f"sum by (stage) (rate(churnstream_stage_duration_seconds_sum{_RATE})) / "
            f"sum by (stage) (rate(churnstream_stage_duration_seconds_count{_RATE}))"
        },
    ),
    Panel(
        "Average risk",
        "percentunit",
        {
            "predicted": f"sum(rate(churnstream_churn_probability_sum{_RATE})) / "
            f"sum(rate(churnstream_churn_probability_count{_RATE}))"
        },
    ),
    Panel("Drift", "none", {"{{feature}}": "max by (feature) (churnstream_drift_index)"}),
    Panel(
        "Seconds since the last commit",
        "s",
        {"{{instance}}": "time() - (churnstream_last_commit_timestamp_seconds > 0)"},
    ),
    Panel("Model in use", "none", {"{{version}}": "sum by (version) (churnstream_model_info)"}),
    Panel(
        "Records of a batch",
        "short",
        {
            "average": f"sum(rate(churnstream_batch_size_sum{_RATE})) / "
            f"sum(rate(churnstream_batch_size_count{_RATE}))"
        },
    ),
    Panel(
        "Webhooks by their answer",
        "ops",
        {"{{outcome}}": f"sum by (outcome) (rate(churnstream_notifications_total{_RATE}))"},
    ),
    Panel(
        "Webhooks to be sent",
        "short",
        {
            "read, and not answered for good": "sum(churnstream_notifications_pending)",
            "predictions to be read": "sum(churnstream_notification_lag)",
        },
    ),
    Panel("Memory", "bytes", {"{{instance}}": "process_resident_memory_bytes"}),
)


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + i), "expr": query, "legendFormat": legend}
            for i, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def files() -> dict[Path, str]:
    """What the file should hold."""
    dashboard = {
        "uid": "churnstream",
        "title": "churnstream",
        "schemaVersion": 39,
        "time": {"from": "now-30m", "to": "now"},
        "refresh": "10s",
        "panels": [_panel(*pair) for pair in enumerate(PANELS)],
    }
    return {PATH: json.dumps(dashboard, indent=2) + "\n"}


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content)
