"""What the live page shows for an address: named pieces of HTML, pushed when they change."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from churnstream.analysis.customer_list import customer_list
from churnstream.analysis.shown_columns import heading_of
from churnstream.dashboard.customer_table import PAGE
from churnstream.dashboard.page_address import PageAddress
from churnstream.dashboard.page_fields import parameter
from churnstream.dashboard.record_view import RecordLookup, ShownRecord
from churnstream.dashboard.risk_over_time import Part
from churnstream.dashboard.shown_customers import CustomerGroup
from churnstream.dashboard.state import State
from churnstream.pages.render import macro
from churnstream.schema.schema import Segment
from churnstream.schema.segments import title_of
from churnstream.settings import Settings

_MAX_DEAD_LETTERS = 100
_MAX_PARTITIONS = 300
_MAX_IN_FILE = 50_000  # more customers would take a workbook too long
_NUMBER_OF_PIECE = re.compile(r"-\d+$")


class SegmentRow(NamedTuple):
    """Customers of a segment, now and over time."""

    name: str
    group: CustomerGroup
    rates: list[float | None]
    levels: list[float | None]


class SegmentFilter(NamedTuple):
    """A choice between segments.

    Attributes:
        parameter: Of the page's address.
        names: Of the segments that occur.
        wanted: The one that is chosen; "" for all.
    """

    parameter: str
    title: str
    names: list[str]
    wanted: str


def _piece(index: int) -> str:
    """The piece that shows the customers by a segment."""
    return f"segment-{index}"


def _macro(piece: str) -> str:
    """The macro of a piece."""
    return _NUMBER_OF_PIECE.sub("", piece).replace("-", "_")


class Views:
    """Makes the pieces of a page.

    Args:
        records: Looks single records up.

    Attributes:
        headings: By piece, what stands above it, of those that there is one of for each segment.
    """

    def __init__(self, settings: Settings, state: State, records: RecordLookup) -> None:
        self._settings, self._state, self._records = settings, state, records
        self._epoch = state.epoch
        topics = settings.topics
        self.topics = [topics.input, topics.output, topics.deadletter]
        segments = state.fields.segments
        self.headings = {_piece(i): heading_of(segment) for i, segment in enumerate(segments)}

    def address(self, given: Mapping[str, str]) -> PageAddress:
        """The address of the page with a query."""
        return PageAddress.of(given, self.topics, self._state.fields)

    def stamp(self, address: PageAddress) -> object:
        """Something that is another one once the pieces of an address may be others."""
        state = self._state
        if address.view == "customers":
            return state.changes, state.problem, state.reading
        return object()  # those of the others speak of the last seconds, or of the broker

    def pieces(self, address: PageAddress) -> dict[str, str]:
        """The pieces of the page at an address, by the id of their element."""
        build: Callable[[PageAddress], dict[str, dict[str, Any]]] = {
            "customers": self._customers,
            "pipeline": self._pipeline,
            "records": self._list,
        }[address.view]
        # The broker is asked before the lock is taken: who reads from it must not wait for us.
        looked_up = self._look_up(address) if address.view == "records" else {}
        with self._state.lock:
            values = {"status": self._status(), **build(address), **looked_up}
            common = {
                "link": address.link,
                "address": address,
                "now": time.time(),
                "fields": self._state.fields,
                "parameter": parameter,
            }
            return {
                name: macro("live_pieces.html.j2", _macro(name), **common, **mine)
                for name, mine in values.items()
            }

    def customers_in_file(self, address: PageAddress) -> pa.Table:
        """The customers that the page at an address lists, on all its pages, the first 50,000.

        The table has the columns of `churnstream export`.
        """
        with self._state.lock:
            listed = self._state.customers.listed(address.query, _MAX_IN_FILE)
        return customer_list(self._state.fields, listed)

    def _status(self) -> dict[str, Any]:
        state = self._state
        return {
            "problem": state.problem,
            "since": state.problem_since,
            "reading": state.reading,
            "read": state.events + state.predictions,
        }

    def _customers(self, address: PageAddress) -> dict[str, dict[str, Any]]:
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
            **self._segments(),
            "filters": {"filters": [self._filter(address, one) for one in state.fields.segments]},
            "table": {
                "rows": rows,
                "matching": matching,
                "size": PAGE,
                "in_file": _MAX_IN_FILE,
            },
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

    def _segments(self) -> dict[str, dict[str, Any]]:
        """A piece for each segment."""
        groups = self._state.customers.groups()
        return {
            _piece(i): {"rows": [self._segment_row((field, name), group) for name, group in found]}
            for i, (field, found) in enumerate(groups.items())
        }

    def _segment_row(self, part: Part, group: CustomerGroup) -> SegmentRow:
        series = self._state.over_time
        return SegmentRow(part[1], group, series.rates(part), series.levels(part))

    def _filter(self, address: PageAddress, segment: Segment) -> SegmentFilter:
        return SegmentFilter(
            parameter(segment.field),
            title_of(segment),
            self._state.customers.values(segment),
            dict(address.query.segments).get(segment.field, ""),
        )

    def _pipeline(self, address: PageAddress) -> dict[str, dict[str, Any]]:
        state, topics = self._state, self._settings.topics
        return {
            "flow": {
                "state": state,
                "dead_letters": state.reasons.total(),
                "foreign_predictions": state.foreign[topics.output],
                "foreign_dead_letters": state.foreign[topics.deadletter],
                "lag": state.lag(),
                "latency": state.latencies.quantiles(),
                "group": self._settings.consumer.group,
            },
            "rates": {"state": state},
            "lag": {
                "rows": [row for row in state.partitions if row.topic == topics.input][
                    :_MAX_PARTITIONS
                ],
                "values": list(state.lags),
            },
            "latency": {"values": state.latencies.values()},
            "reasons": {
                "reasons": state.reasons.most_common(),
                "passed_over": state.passed_over.most_common(),
                "topic": topics.deadletter,
            },
            "models": {"versions": state.models()},
            "processes": {"processes": state.processes},
            "topics": {"rows": state.partitions[:_MAX_PARTITIONS]},
        }

    def _list(self, address: PageAddress) -> dict[str, dict[str, Any]]:
        state = self._state
        listed = [one for one in state.dead_letters if address.reason in ("", one.reason)]
        pieces: dict[str, dict[str, Any]] = {
            "tabs": {"topics": self.topics, "counts": self._counts()}
        }
        if address.topic != self._settings.topics.deadletter:
            pieces["newest"] = {"records": list(state.newest[address.topic])}
        else:
            pieces["dead-letters"] = {
                "listed": listed[:_MAX_DEAD_LETTERS],
                "reasons": state.reasons.most_common(),
                "kept": state.dead_letters.maxlen,
            }
        return pieces

    def _look_up(self, address: PageAddress) -> dict[str, dict[str, Any]]:
        """The piece that shows a record of the topic itself."""
        if not address.position:
            return {}
        if self._state.epoch != self._epoch:  # the topics are others now
            self._epoch = self._state.epoch
            self._records.forget()
        rows = {row.partition: row for row in self._state.partitions if row.topic == address.topic}
        found = self._records.get(address.topic, address.position, rows)
        is_record = isinstance(found, ShownRecord)
        return {
            "record": {
                "record": found if is_record else None,
                "why_not": "" if is_record else found,
            }
        }

    def _counts(self) -> dict[str, int]:
        counts = dict.fromkeys(self.topics, 0)
        for row in self._state.partitions:
            if row.topic in counts:
                counts[row.topic] += row.end - row.begin
        return counts
