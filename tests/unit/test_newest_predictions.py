"""Of each customer the newest prediction, and which of them are at risk."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from confluent_kafka import Message
from msgspec.json import encode

from bank import BANK, bank_customer
from builders import TELCO, Prediction, decode_event, event_json, message
from churnstream.analysis.customer_fields import CustomerFields
from churnstream.analysis.customer_list import ListedCustomers, customer_list, reasons_writer
from churnstream.analysis.customers_at_risk import CustomersAtRisk
from churnstream.pipeline.newest_predictions import NewestPredictions
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.schema import Schema

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
WHY = [ReasonGiven("tenure", str(months), 0.5, "") for months in (1, 2, 3, 4)]


def prediction(name: str, risk: float = 0.9, *, partition: int = 0, **changes: Any) -> Message:
    """A prediction as a record."""
    fields = {
        "customerID": name,
        "churn_probability": risk,
        "prediction": "Yes" if risk >= 0.5 else "No",
        "event_ts": NOW,
        "processed_ts": NOW,
        "model_version": "v1",
        "source_partition": 0,
        "source_offset": 0,
    }
    made = Prediction(**{**fields, **changes})
    return message(encode(made), key=name.encode(), partition=partition)


def newest_of(*records: Message) -> NewestPredictions:
    """The newest among some records."""
    found = NewestPredictions(TELCO, reasons_writer(TELCO))
    found.add(records)
    return found


def test_the_last_one_of_a_partition_is_the_newest() -> None:
    """However its clock goes, and also where it is no risk any more."""
    past = NOW - timedelta(days=1)
    found = newest_of(
        prediction("A"), prediction("B", 0.2), prediction("A", 0.1, processed_ts=past)
    )
    assert len(found) == 2
    assert found.chosen().names == []
    assert found.chosen(threshold=0).names == ["A", "B"]
    assert found.chosen(threshold=0).kept["risk"].tolist() == [0.1, 0.2]


def test_of_several_partitions_the_time_of_processing_decides() -> None:
    """As where partitions were added and a customer's key leads to another one since."""
    past = NOW - timedelta(days=1)
    found = newest_of(
        prediction("A", 0.8, partition=1),
        prediction("A", 0.7, partition=0, processed_ts=past),
        prediction("B", 0.6, partition=0, processed_ts=past),
        prediction("B", 0.9, partition=1),
    )
    assert found.chosen().kept["risk"].tolist() == [0.8, 0.9]


def test_a_record_without_a_value_removes_its_customer() -> None:
    """By it somebody has a customer removed from a compacted topic; later ones count again."""
    found = newest_of(
        prediction("A"),
        prediction("B"),
        message(None, key=b"A"),
        message(None, key=b"B"),
        message(None, key=b"\xff"),
        prediction("B", 0.7),
    )
    assert (len(found), found.foreign) == (1, 0)
    assert found.chosen().names == ["B"]


def test_what_is_no_prediction_is_counted() -> None:
    """Whatever stands in it."""
    found = newest_of(message(b"none"), message(b"[" * 10_000), message(None, key=None))
    assert (len(found), found.foreign) == (0, 3)


def test_who_is_at_risk_is_asked_for() -> None:
    """By the predictions, by a threshold, or by the age of the event."""
    old = NOW - timedelta(days=3)
    found = newest_of(
        prediction("A", 0.9, event_ts=old), prediction("B", 0.6), prediction("C", 0.4)
    )
    assert found.chosen().names == ["A", "B"]
    assert found.chosen(threshold=0.4).names == ["A", "B", "C"]
    assert found.chosen(threshold=0.4, since=NOW).names == ["B", "C"]


def test_reasons_and_versions_are_bounded() -> None:
    """Three reasons of a line, and a thousand models; the others are one."""
    long = [ReasonGiven("none", "", 1.0, "x" * 1000)]
    found = newest_of(
        prediction("A", reasons=WHY),
        prediction("B", reasons=long),
        *(prediction("C", model_version=f"v{i}") for i in range(2000)),
    )
    chosen = found.chosen()
    assert chosen.reasons[0] == "A tenure of 1 month; A tenure of 2 months; A tenure of 3 months"
    assert len(chosen.reasons[1]) <= 103
    assert chosen.versions == ["v1", "v1", "other"]


# ---- joined, chosen and sorted ----


def at_risk(schema: Schema, **risks: float) -> CustomersAtRisk:
    """Customers with these probabilities, before their events are known."""
    return CustomersAtRisk(
        CustomerFields(schema),
        names=list(risks),
        risks=np.array([*risks.values()]),
        leaving=np.array([risk >= 0.5 for risk in risks.values()]),
        reasons=["why"] * len(risks),
        event_at=np.full(len(risks), NOW.timestamp()),
        versions=["v1"] * len(risks),
    )


def telco_event(**changes: Any) -> Any:
    """A valid event as the decoder makes it."""
    return decode_event(event_json(**changes), changes.get("customerID", "7590-VHVEG").encode())


def test_the_greatest_loss_comes_first_and_the_unknown_one_last() -> None:
    """Probability times worth; who is worth nothing known is sorted by the probability alone."""
    found = at_risk(TELCO, A=0.9, B=0.5, C=0.8, D=0.95)
    found.note_events([1, 0], [telco_event(MonthlyCharges=100.0), telco_event(MonthlyCharges=10.0)])
    listed = found.listed()
    assert listed.names == ["B", "A", "D", "C"]
    assert listed.at_risk[:2].tolist() == [50.0, 9.0]
    assert np.isnan(listed.at_risk[2:]).all()
    assert found.without_event == 2
    assert found.listed(top=1).names == ["B"]


def test_without_a_worth_the_probability_sorts() -> None:
    """Equal ones by name; and there is no column of money."""
    found = at_risk(BANK, B=0.7, A=0.7, C=0.9)
    found.note_events([0, 1, 2], [bank_customer(Geography="Spain", HasCrCard=1) for _ in range(3)])
    listed = found.listed()
    assert listed.names == ["C", "A", "B"]
    table = customer_list(CustomerFields(BANK), listed)
    assert table.column_names == [
        *("CustomerId", "churn_probability", "prediction", "Age", "Geography", "HasCrCard"),
        *("reasons", "event_ts", "model_version"),
    ]
    assert table.to_pylist()[0]["HasCrCard"] == "yes"


def test_segments_choose() -> None:
    """Those of all segments asked for, bands of a number included; the unknown are in none."""
    found = at_risk(BANK, A=0.7, B=0.8, C=0.9, D=0.95)
    events = [bank_customer(Geography=where, Age=42) for where in ("Spain", "France", "Spain")]
    found.note_events([0, 1, 2], events)
    assert found.listed([("Geography", "Spain")]).names == ["C", "A"]
    assert found.listed([("Geography", "Spain"), ("Age", "31-45")]).names == ["C", "A"]
    assert found.listed([("Geography", "Spain"), ("Age", "over 60")]).names == []


def test_a_worth_that_is_a_number_is_everybodys() -> None:
    """It needs no event."""
    listed = at_risk(msgspec.structs.replace(BANK, value=10.0), A=0.5).listed()
    assert listed.at_risk.tolist() == [5.0]


def test_the_table_says_what_the_customers_are() -> None:
    """With the names of records and summaries, types that files keep, and null for the unknown."""
    found = at_risk(TELCO, A=0.9, B=0.4)
    found.note_events([0], [telco_event(MonthlyCharges=100.0, tenure=5)])
    first, second = customer_list(CustomerFields(TELCO), found.listed()).to_pylist()
    assert first == {
        "customerID": "A",
        "churn_probability": 0.9,
        "prediction": "Yes",
        "revenue_at_risk": 90.0,
        "MonthlyCharges": 100.0,
        "tenure": 5.0,
        "Contract": "Month-to-month",
        "InternetService": "DSL",
        "PaymentMethod": "Electronic check",
        "reasons": "why",
        "event_ts": NOW,
        "model_version": "v1",
    }
    assert second["prediction"] == "No"
    assert second["revenue_at_risk"] is second["Contract"] is None


@pytest.mark.parametrize("schema", [TELCO, BANK])
def test_nobody_is_a_table_too(schema: Schema) -> None:
    """With its columns and no row."""
    listed = at_risk(schema).listed()
    assert isinstance(listed, ListedCustomers)
    assert customer_list(CustomerFields(schema), listed).num_rows == 0
