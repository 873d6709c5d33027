"""Which customers the live page lists."""

from typing import NamedTuple

from churnstream.dashboard.risk_over_time import Part


class Query(NamedTuple):
    """Which customers to list.

    Attributes:
        text: Part of the customer's name.
        segments: Fields and the names of their segments that are wanted.
        sort: One of `sorts_of`.
        page: From 0.
    """

    text: str = ""
    segments: tuple[Part, ...] = ()
    leaving: bool = False
    sort: str = "risk"
    page: int = 0
