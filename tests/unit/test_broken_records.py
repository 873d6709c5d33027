import json

import pytest

from builders import TELCO, customer
from churnstream.records.rejection import REASONS, Rejection
from churnstream.testing.broken_records import BrokenRecord, broken_records
from fakes import FakeScorer

BROKEN = broken_records(TELCO, customer())
decode = FakeScorer().decode


@pytest.mark.parametrize("record", BROKEN, ids=lambda record: record.kind)
def test_a_broken_record_is_rejected_as_it_says(record: BrokenRecord) -> None:
    """The rejection begins with what the record says that it will, and fits into a header."""
    found = decode(record.value, record.key)

    assert isinstance(found, Rejection)
    assert str(found).startswith(record.expected)
    assert str(found).isascii()
    assert str(found).isprintable()
    assert len(str(found)) <= 500


def test_every_kind_is_there_once() -> None:
    """No two records are broken in the same way."""
    kinds = [record.kind for record in BROKEN]

    assert len(kinds) == len(set(kinds))


def test_every_reason_has_an_example() -> None:
    """Whatever a dead letter can give as its reason, the demo shows."""
    found = [decode(record.value, record.key) for record in BROKEN]

    # By a model, a topic or a registry.
    of_records = set(REASONS) - {"not_scorable", "too_large", "malformed"}
    assert {why.reason for why in found if isinstance(why, Rejection)} == of_records


def test_the_customer_that_is_broken_stays_whole() -> None:
    """Breaking an event leaves the event alone."""
    good = customer()

    broken_records(TELCO, good)

    assert good == customer()
    assert not isinstance(decode(json.dumps(good).encode(), b"7590-VHVEG"), Rejection)


def test_broken_records_keep_their_customers_key() -> None:
    """They land among the customer's good events, but for those whose key is what is broken."""
    keys = {record.kind: record.key for record in BROKEN}

    assert keys.pop("null key") is None
    assert keys.pop("another's key") == b"0000-OTHER"
    assert set(keys.values()) == {b"7590-VHVEG"}
