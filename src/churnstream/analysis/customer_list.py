"""Scored customers as a table for a file, with the columns and words of reports and live page."""

from collections.abc import Callable, Iterable, Sequence
from math import isnan
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from churnstream.analysis.customer_fields import CustomerFields
from churnstream.escaping import printable
from churnstream.files.workbook_writer import NUMBER_FORMAT
from churnstream.model.phrases import short_reason_writer
from churnstream.records.prediction import ReasonGiven
from churnstream.records.wire_types import EVENT_TS
from churnstream.schema.schema import Schema

_PERCENT, _MONEY = {NUMBER_FORMAT: b"0.0%"}, {NUMBER_FORMAT: b"#,##0.00"}
_MAX_REASONS = 3
_MAX_LENGTH = 100  # characters of a reason
_MICROSECONDS = 1_000_000  # of a second


class ListedCustomers(NamedTuple):
    """Customers in columns of one length n, each by its newest prediction.

    Attributes:
        names: Their IDs.
        risks: Probabilities of churn, (n,).
        leaving: Whether the prediction was "Yes", (n,).
        at_risk: Probability times worth a month, (n,); NaN where the worth is not known.
        numbers: For each of `CustomerFields.numbers` (n,); NaN where it is missing.
        texts: For each of `CustomerFields.texts` n names of segments; "" where it is not known.
        reasons: What raises the risk most, strongest first.
        event_at: The event's own time, seconds since 1970, (n,); NaN where it is not known.
        versions: The models that scored them.
    """

    names: Sequence[str]
    risks: NDArray[np.float64]
    leaving: NDArray[np.bool_]
    at_risk: NDArray[np.float64]
    numbers: Sequence[NDArray[np.float64]]
    texts: Sequence[Sequence[str]]
    reasons: Sequence[str]
    event_at: NDArray[np.float64]
    versions: Sequence[str]


def in_one_cell(reasons: Iterable[str]) -> str:
    """Reasons in words, as a cell of the table has them."""
    return "; ".join(reasons)


def reasons_writer(schema: Schema) -> Callable[[Sequence[ReasonGiven]], str]:
    """Takes the reasons of a prediction; the first three in words, of bounded length."""
    shorten = short_reason_writer(schema)

    def write(reasons: Sequence[ReasonGiven]) -> str:
        texts = map(shorten, reasons[:_MAX_REASONS])
        return in_one_cell(printable(text, _MAX_LENGTH) for text in texts)

    return write


def customer_list(fields: CustomerFields, found: ListedCustomers) -> pa.Table:
    """The table, in the order of the customers.

    `revenue_at_risk` stands there only where the schema says what a customer is worth; what is not
    known is null.
    """
    decided = np.where(found.leaving, "Yes", "No").tolist()
    columns = [
        (pa.field(fields.schema.id, pa.string()), found.names),
        (pa.field("churn_probability", pa.float64(), metadata=_PERCENT), found.risks),
        (pa.field("prediction", pa.string()), decided),
        (pa.field("revenue_at_risk", pa.float64(), metadata=_MONEY), _known(found.at_risk)),
        *(
            (pa.field(column.field, pa.float64()), _known(numbers))
            for column, numbers in zip(fields.numbers, found.numbers, strict=True)
        ),
        *(
            (pa.field(column.field, pa.string()), [text or None for text in texts])
            for column, texts in zip(fields.texts, found.texts, strict=True)
        ),
        (pa.field("reasons", pa.string()), found.reasons),
        (pa.field(EVENT_TS, pa.timestamp("us", "UTC")), _instants(found.event_at)),
        (pa.field("model_version", pa.string()), found.versions),
    ]
    if not fields.in_money:
        del columns[3]
    arrays = [pa.array(values, field.type) for field, values in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema([field for field, _ in columns]))


def _known(numbers: NDArray[np.float64]) -> pa.Array:
    return pa.array(numbers, pa.float64(), from_pandas=True)  # NaN becomes null


def _instants(seconds: NDArray[np.float64]) -> list[int | None]:
    return [None if isnan(at) else round(at * _MICROSECONDS) for at in seconds.tolist()]
