"""What the live page shows for an address: named pieces of HTML, pushed when they change."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from churnstream.config import Settings
from churnstream.observe.dashboard.customers import PAGE, SORTS, Query
from churnstream.observe.dashboard.records import Record, Records
from churnstream.observe.dashboard.state import State
from churnstream.pages.render import macro

VIEWS = {"customers": "Customers", "pipeline": "Pipeline", "records": "Records"}
_LARGEST_PAGE = 400


class Address(NamedTuple):
    """The query of the page's address, checked: what is not understood is left out.

    Attributes:
        customer: Whose history to show; "" for nobody's.
        reason: Of the dead letters to list; "" for all.
        topic: Whose records to list.
        place: Partition and offset of the record to show.
    """

    view: str
    query: Query
    customer: str
    reason: str
    topic: str
    place: tuple[int, int] | None

    @classmethod
    def of(cls, given: Mapping[str, str], topics: list[str]) -> "Address":
        """Read it."""
        place = _number(given, "partition"), _number(given, "offset")
        view = given.get("view", "customers")
        return cls(
            view=view if view in VIEWS else "customers",
            query=Query(
                text=given.get("q", "").strip()[:80],
                contract=given.get("contract", ""),
                internet=given.get("internet", ""),
                leaving=given.get("leaving") == "yes",
                sort=given["sort"] if given.get("sort") in SORTS else "risk",
                page=min(_number(given, "page") or 0, _LARGEST_PAGE),
            ),
            customer=given.get("customer", ""),
            reason=given.get("reason", ""),
            topic=given["topic"] if given.get("topic") in topics else topics[0],
            place=None if None in place else place,  # type: ignore[arg-type]
        )


def _number(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004


class Views:
    """Makes the pieces of a page.

    Args:
        records: Looks single records up.
    """

    def __init__(self, settings: Settings, state: State, records: Records) -> None:
        self._settings, self._state, self._records = settings, state, records
        topics = settings.topics
        self.topics = [topics.input, topics.output, topics.deadletter]

    def pieces(self, given: Mapping[str, str]) -> dict[str, str]:
        """The pieces of the page at an address, by the id of their element."""
        address = Address.of(given, self.topics)
        build: Callable[[Address], dict[str, dict[str, Any]]] = {
            "customers": self._customers,
            "pipeline": self._pipeline,
            "records": self._list,
        }[address.view]
        # The broker is asked before the lock is taken: who reads from it must not wait for us.
        looked_up = self._look_up(address) if address.view == "records" else {}
        with self._state.lock:
            values = {"status": self._status(), **build(address), **looked_up}
            common = {"link": _linker(given), "address": address, "now": time.time()}
            return {
                name: macro("live.html.j2", name.replace("-", "_"), **common, **mine)
                for name, mine in values.items()
            }

    def _status(self) -> dict[str, Any]:
        state = self._state
        return {
            "problem": state.problem,
            "since": state.problem_since,
            "reading": state.reading,
            "read": state.events + state.predictions,
        }

    def _customers(self, address: Address) -> dict[str, dict[str, Any]]:
        state, customers = self._state, self._state.customers
        whole, leaving, average = customers.whole()
        rows, matching = customers.find(address.query)
        pieces: dict[str, dict[str, Any]] = {
            "headline": {
                "whole": whole,
                "leaving": leaving,
                "average": average,
                "left_out": customers.left_out,
                "broker": self._settings.kafka.brokers,
            },
            "over-time": {"series": state.over_time},
            "by-contract": self._segments("contract"),
            "by-internet": self._segments("internet"),
            "filters": {
                "values": {name: customers.values(name) for name in ("contract", "internet")}
            },
            "table": {"rows": rows, "matching": matching, "size": PAGE},
            "just-scored": {"latest": list(state.latest)},
        }
        if address.customer:
            row = customers.row(address.customer)
            pieces["customer"] = {
                "row": customers.get(row) if row >= 0 else None,
                "history": state.history(address.customer),
                "topic": self._settings.topics.output,
            }
        return pieces

    def _segments(self, column: str) -> dict[str, Any]:
        series = self._state.over_time
        return {
            "rows": [
                (value, figures, series.rates((column, value)), series.levels((column, value)))
                for value, figures in self._state.customers.segments(column)
            ]
        }

    def _pipeline(self, address: Address) -> dict[str, dict[str, Any]]:
        state, topics = self._state, self._settings.topics
        return {
            "flow": {
                "state": state,
                "letters": state.reasons.total(),
                "lag": state.lag(),
                "latency": state.latencies.quantiles(),
                "group": self._settings.consumer.group,
            },
            "rates": {"state": state},
            "lag": {
                "rows": [row for row in state.partitions if row.topic == topics.input],
                "values": list(state.lags),
            },
            "latency": {"values": state.latencies.values()},
            "reasons": {"reasons": state.reasons.most_common(), "topic": topics.deadletter},
            "models": {"versions": sorted(state.versions.values(), key=lambda one: -one.first)},
            "processes": {"processes": state.processes},
            "topics": {"rows": state.partitions},
        }

    def _list(self, address: Address) -> dict[str, dict[str, Any]]:
        state, is_letters = self._state, address.topic == self._settings.topics.deadletter
        letters = [one for one in state.letters if address.reason in ("", one.reason)]
        pieces: dict[str, dict[str, Any]] = {
            "tabs": {"topics": self.topics, "counts": self._counts()}
        }
        if is_letters:
            pieces["letters"] = {
                "letters": letters[:100],
                "reasons": state.reasons.most_common(),
                "kept": state.letters.maxlen,
            }
        return pieces

    def _look_up(self, address: Address) -> dict[str, dict[str, Any]]:
        """The pieces that show records of the topic itself."""
        pieces: dict[str, dict[str, Any]] = {}
        rows = {row.partition: row for row in self._state.partitions if row.topic == address.topic}
        if address.topic != self._settings.topics.deadletter:
            pieces["newest"] = {"records": self._records.newest(address.topic, rows)}
        if address.place:
            found = self._records.get(address.topic, address.place, rows)
            is_record = isinstance(found, Record)
            pieces["record"] = {
                "record": found if is_record else None,
                "why_not": "" if is_record else found,
            }
        return pieces

    def _counts(self) -> dict[str, int]:
        counts = dict.fromkeys(self.topics, 0)
        for row in self._state.partitions:
            if row.topic in counts:
                counts[row.topic] += row.end - row.begin
        return counts


def _linker(given: Mapping[str, str]) -> Callable[..., str]:
    """Addresses that differ from the present one in what they are told."""

    def link(**changes: object) -> str:
        kept = {**given, **{name: str(value) for name, value in changes.items()}}
        return "?" + urlencode({name: value for name, value in kept.items() if value != ""})

    return link
