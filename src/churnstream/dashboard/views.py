"""What the live page shows for an address: named pieces of HTML, pushed when they change."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from churnstream.dashboard.customers import PAGE, SORTS, Query
from churnstream.dashboard.records import Record, Records
from churnstream.dashboard.state import State
from churnstream.pages.render import macro
from churnstream.records.rejection import REASONS
from churnstream.settings import Settings

VIEWS = {"customers": "Customers", "pipeline": "Pipeline", "records": "Records"}
_LARGEST_PAGE = 400
_LONGEST_WORD = 100
_MOST_LETTERS = 100
_MOST_PARTITIONS = 300


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
                contract=given.get("contract", "")[:_LONGEST_WORD],
                internet=given.get("internet", "")[:_LONGEST_WORD],
                leaving=given.get("leaving") == "yes",
                sort=given["sort"] if given.get("sort") in SORTS else "risk",
                page=min(_number(given, "page") or 0, _LARGEST_PAGE),
            ),
            customer=given.get("customer", "")[:_LONGEST_WORD],
            reason=given["reason"] if given.get("reason") in REASONS else "",
            topic=given["topic"] if given.get("topic") in topics else topics[0],
            place=None if None in place else place,  # type: ignore[arg-type]
        )

    def link(self, **changes: object) -> str:
        """The address that differs from this one in what it is told."""
        own: dict[str, object] = {"view": self.view}
        if self.view == "customers":
            query = self.query
            own |= {"q": query.text, "contract": query.contract, "internet": query.internet}
            own |= {"leaving": "yes" if query.leaving else "", "sort": query.sort}
            own |= {"page": query.page or "", "customer": self.customer}
        elif self.view == "records":
            partition, offset = self.place or ("", "")
            own |= {"topic": self.topic, "reason": self.reason}
            own |= {"partition": partition, "offset": offset}
        return "?" + urlencode({name: v for name, v in (own | changes).items() if v != ""})


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
        self._epoch = state.epoch
        topics = settings.topics
        self.topics = [topics.input, topics.output, topics.deadletter]

    def address(self, given: Mapping[str, str]) -> Address:
        """The address of the page with a query."""
        return Address.of(given, self.topics)

    def stamp(self, address: Address) -> object:
        """Something that is another one once the pieces of an address may be others."""
        state = self._state
        if address.view == "customers":
            return state.changes, state.problem, state.reading
        return object()  # those of the others speak of the last seconds, or of the broker

    def pieces(self, address: Address) -> dict[str, str]:
        """The pieces of the page at an address, by the id of their element."""
        build: Callable[[Address], dict[str, dict[str, Any]]] = {
            "customers": self._customers,
            "pipeline": self._pipeline,
            "records": self._list,
        }[address.view]
        # The broker is asked before the lock is taken: who reads from it must not wait for us.
        looked_up = self._look_up(address) if address.view == "records" else {}
        with self._state.lock:
            values = {"status": self._status(), **build(address), **looked_up}
            common = {"link": address.link, "address": address, "now": time.time()}
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
                "foreign": (state.foreign[topics.output], state.foreign[topics.deadletter]),
                "lag": state.lag(),
                "latency": state.latencies.quantiles(),
                "group": self._settings.consumer.group,
            },
            "rates": {"state": state},
            "lag": {
                "rows": [row for row in state.partitions if row.topic == topics.input][
                    :_MOST_PARTITIONS
                ],
                "values": list(state.lags),
            },
            "latency": {"values": state.latencies.values()},
            "reasons": {"reasons": state.reasons.most_common(), "topic": topics.deadletter},
            "models": {"versions": state.models()},
            "processes": {"processes": state.processes},
            "topics": {"rows": state.partitions[:_MOST_PARTITIONS]},
        }

    def _list(self, address: Address) -> dict[str, dict[str, Any]]:
        state, is_letters = self._state, address.topic == self._settings.topics.deadletter
        letters = [one for one in state.letters if address.reason in ("", one.reason)]
        pieces: dict[str, dict[str, Any]] = {
            "tabs": {"topics": self.topics, "counts": self._counts()}
        }
        if not is_letters:
            pieces["newest"] = {"records": list(state.newest[address.topic])}
        else:
            pieces["letters"] = {
                "letters": letters[:_MOST_LETTERS],
                "reasons": state.reasons.most_common(),
                "kept": state.letters.maxlen,
            }
        return pieces

    def _look_up(self, address: Address) -> dict[str, dict[str, Any]]:
        """The piece that shows a record of the topic itself."""
        if not address.place:
            return {}
        if self._state.epoch != self._epoch:  # the topics are others now
            self._epoch = self._state.epoch
            self._records.forget()
        rows = {row.partition: row for row in self._state.partitions if row.topic == address.topic}
        found = self._records.get(address.topic, address.place, rows)
        is_record = isinstance(found, Record)
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
