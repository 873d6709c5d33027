"""What a customer's fields are called in the page's address."""

from churnstream.analysis.customer_fields import CustomerFields

_PREFIX = "by."


def parameter(field: str) -> str:
    """What a field is called there, where no other parameter is called so."""
    return f"{_PREFIX}{field}"


def sorts_of(fields: CustomerFields) -> tuple[str, ...]:
    """What the table can be sorted by."""
    own = ("risk", "at_risk", "scored_at") if fields.in_money else ("risk", "scored_at")
    return (*own, *(parameter(column.field) for column in fields.numbers))
