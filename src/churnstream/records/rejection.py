"""Why a record is not scored: a value that travels, not an exception to stop for."""

from collections import Counter
from typing import Literal, get_args

import msgspec

Reason = Literal[
    "duplicate_field",
    "empty",
    "invalid_value",
    "key_mismatch",
    "malformed",
    "missing_field",
    "not_an_object",
    "not_json",
    "not_scorable",
    "not_utf8",
    "out_of_range",
    "too_large",
    "unknown_category",
    "wrong_type",
]
REASONS: tuple[str, ...] = get_args(Reason)

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for bytes that anyone may have written."""

_DETAIL_LENGTH = 200
_MAX_KINDS = 10  # no broken file has more that somebody would read


class Rejection(msgspec.Struct, frozen=True, gc=False):
    """Why a record was rejected.

    Attributes:
        reason: One of `REASONS`, for filters and counters.
        field: The field at fault, or "key" or "value" for the record as a whole.
        detail: What is wrong with it, in words.
    """

    reason: Reason
    field: str
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}"


def not_scorable(probability: float) -> Rejection:
    """The rejection of an event to which a model gives a number that is no probability."""
    detail = f"the model gives it no probability from 0 to 1, but {probability}"
    return Rejection("not_scorable", "value", detail)


def too_large(size: int, max_size: int, field: str) -> Rejection:
    """An event whose prediction the output topic would not take: its ID is as long as that.

    Args:
        size: Bytes of the prediction's record.
        max_size: What the topic takes.
        field: That holds the ID.
    """
    detail = f"its prediction would take {size:,} bytes, and the output topic takes {max_size:,}"
    return Rejection("too_large", field, detail)


class RejectionCount:
    """Rejections by reason and field, each with its first example.

    Attributes:
        total: How many there were.
    """

    def __init__(self) -> None:
        self.total = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}

    def add(self, rejection: Rejection, where: str) -> None:
        """Count one.

        Args:
            where: What was rejected, as "row 2".
        """
        kind = (rejection.reason, rejection.field)
        self.total += 1
        self._counts[kind] += 1
        self._examples.setdefault(kind, f"{where}: {rejection.detail[:_DETAIL_LENGTH]}")

    def in_words(self) -> str:
        """All reasons in one line, the most frequent first."""
        return "; ".join(
            f"{count:,} {reason} in {field}, as in {self._examples[reason, field]}"
            for (reason, field), count in self._counts.most_common(_MAX_KINDS)
        )
