"""The address of the live page: what is to be shown."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from churnstream.analysis.customer_fields import CustomerFields
from churnstream.dashboard.customer_query import Query
from churnstream.dashboard.page_fields import parameter, sorts_of
from churnstream.dashboard.record_view import Position
from churnstream.records.rejection import REASONS

VIEWS = {"customers": "Customers", "pipeline": "Pipeline", "records": "Records"}
_MAX_PAGE = 400
_MAX_WORD_LENGTH = 100
_MAX_DIGITS = 18  # of an offset


class PageAddress(NamedTuple):
    """The query of the page's address, checked: what is not understood is left out.

    Attributes:
        customer: Whose history to show; "" for nobody's.
        reason: Of the dead letters to list; "" for all.
        topic: Whose records to list.
        position: Of the record to show; None for none.
    """

    view: str
    query: Query
    customer: str
    reason: str
    topic: str
    position: Position | None

    @classmethod
    def of(
        cls, given: Mapping[str, str], topics: Sequence[str], fields: CustomerFields
    ) -> "PageAddress":
        """Read it."""
        view = given.get("view", "customers")
        return cls(
            view=view if view in VIEWS else "customers",
            query=Query(
                text=given.get("q", "").strip()[:80],
                segments=tuple(
                    (one.field, wanted[:_MAX_WORD_LENGTH])
                    for one in fields.segments
                    if (wanted := given.get(parameter(one.field)))
                ),
                leaving=given.get("leaving") == "yes",
                sort=given["sort"] if given.get("sort") in sorts_of(fields) else "risk",
                page=min(_number(given, "page") or 0, _MAX_PAGE),
            ),
            customer=given.get("customer", "")[:_MAX_WORD_LENGTH],
            reason=given["reason"] if given.get("reason") in REASONS else "",
            topic=given["topic"] if given.get("topic") in topics else topics[0],
            position=_position(given),
        )

    def link(self, **changes: object) -> str:
        """The address that differs from this one in what is given."""
        own: dict[str, object] = {"view": self.view}
        if self.view == "customers":
            query = self.query
            own |= {"q": query.text}
            own |= {parameter(field): wanted for field, wanted in query.segments}
            own |= {"leaving": "yes" if query.leaving else "", "sort": query.sort}
            own |= {"page": query.page or "", "customer": self.customer}
        elif self.view == "records":
            partition, offset = self.position or ("", "")
            own |= {"topic": self.topic, "reason": self.reason}
            own |= {"partition": partition, "offset": offset}
        return "?" + urlencode({name: v for name, v in (own | changes).items() if v != ""})


def _position(given: Mapping[str, str]) -> Position | None:
    partition, offset = _number(given, "partition"), _number(given, "offset")
    return None if partition is None or offset is None else Position(partition, offset)


def _number(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None
