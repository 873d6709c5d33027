"""Single customers as JSON, scored without a broker."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

import msgspec

from churnstream.model.scorer import Model
from churnstream.records.rejection import UNDECODABLE, Rejection, not_scorable
from churnstream.schema.record_types import Event
from churnstream.schema.values import plain


def split_customers(text: bytes) -> Iterator[bytes]:
    """The JSON of each customer in an object, an array, or an object a line."""
    stripped = text.strip()
    with suppress(*UNDECODABLE):
        if stripped.startswith(b"["):
            yield from (bytes(raw) for raw in msgspec.json.decode(stripped, type=list[msgspec.Raw]))
            return
        msgspec.json.decode(stripped, type=msgspec.Raw)
        yield stripped
        return
    yield from (line for line in stripped.splitlines() if line.strip())


def score_one_by_one(
    model: Model, texts: Iterable[bytes]
) -> Iterator[dict[str, object] | Rejection]:
    """Score customers given as JSON; `event_ts` may be missing, for now.

    Args:
        texts: One JSON object each.

    Yields:
        Of each the customer's ID, `churn_probability`, `prediction` and `model_version`.
    """
    for text in texts:
        event = _decode(text, model)
        if isinstance(event, Rejection):
            yield event
            continue
        probability = float(model.score([event])[0])
        if 0 <= probability <= 1:
            yield {
                model.schema.id: model.schema.id_of(event),
                "churn_probability": probability,
                "prediction": says(probability, model),
                "model_version": model.version,
            }
        else:
            yield not_scorable(probability)


def says(probability: float, model: Model) -> Literal["Yes", "No"]:
    """The prediction that goes with a probability."""
    return "Yes" if probability >= model.threshold else "No"


def _decode(text: bytes, model: Model) -> Event | Rejection:
    decode = model.decode
    try:
        customer = msgspec.json.decode(text)
    except UNDECODABLE:
        return decode(text, None)
    if not isinstance(customer, dict):
        return decode(text, None)
    if "event_ts" not in customer:
        now = datetime.now(UTC).isoformat().encode()
        comma = b"," if customer else b""
        text = text.rstrip()[:-1] + comma + b'"event_ts":"' + now + b'"}'
    name = plain(customer.get(model.schema.id))
    return decode(text, (name or "").encode("utf-8", "surrogatepass"))
