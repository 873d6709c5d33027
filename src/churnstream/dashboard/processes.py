"""What running producers and consumers say of themselves on their metrics ports."""

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT = 2.0  # seconds
_MAX_BYTES = 1_000_000
_MAX_PROBLEM_LENGTH = 300
_SHOWN = {
    "churnstream_transactions_committed_total": "committed",
    "churnstream_transactions_aborted_total": "rolled back",
    "churnstream_rebalances_total": "rebalances",
    "process_resident_memory_bytes": "memory",
}


class Process(NamedTuple):
    """A producer or consumer.

    Attributes:
        problem: Why it is not ready, in words; "" if it is.
        metrics: What it counts, by what that is.
    """

    address: str
    problem: str
    metrics: dict[str, float]


def look(address: str) -> Process:
    """Ask a process how it is.

    Args:
        address: HOST:PORT of its metrics endpoint.
    """
    try:
        problem = _get(address, "/readyz")
        families = text_string_to_metric_families(_get(address, "/metrics"))
        metrics = {
            _SHOWN[sample.name]: sample.value
            for family in families
            for sample in family.samples
            if sample.name in _SHOWN
        }
    except (OSError, ValueError, HTTPException):
        return Process(address, "does not answer", {})
    return Process(address, "" if problem == "ok" else problem[:_MAX_PROBLEM_LENGTH], metrics)


def _get(address: str, path: str) -> str:
    """The text of an answer, also of one that says no."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=_TIMEOUT) as answer:
            return str(answer.read(_MAX_BYTES).decode()).strip()
    except urllib.error.HTTPError as error:
        return error.read(_MAX_BYTES).decode().strip()
