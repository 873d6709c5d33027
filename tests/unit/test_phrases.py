"""Reasons in words: those of the schema, or made from the field's name."""

import pytest

from bank import BANK
from builders import TELCO
from churnstream.model.phrases import reason_writer, short_reason_writer
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.fields import Date
from churnstream.schema.schema import Schema

GYM = Schema(name="gym", id="no", fields={"joined_on": Date(missing="allow")})


@pytest.mark.parametrize(
    ("schema", "field", "value", "phrase"),
    [
        (TELCO, "tenure", "1", "A tenure of 1 month"),
        (TELCO, "tenure", "2", "A tenure of 2 months"),
        (TELCO, "InternetService", "No", "No internet service"),
        (TELCO, "Contract", "One year", "One year contract"),
        (BANK, "CreditScore", "619", "Credit score 619"),
        (BANK, "Balance", "", "No known balance"),
        (BANK, "HasCrCard", "0", "Has cr card: no"),
        (BANK, "HasCrCard", "1", "Has cr card: yes"),
        (GYM, "joined_on", "285", "Joined on: 285 days ago"),
        (GYM, "joined_on", "", "No known joined on"),
    ],
)
def test_a_reason_is_a_phrase_and_a_direction(
    schema: Schema, field: str, value: str, phrase: str
) -> None:
    """The direction is left out where a heading says it, and said where it is the other one."""
    write, shorten = reason_writer(schema), short_reason_writer(schema)

    raising, lowering = write(field, value, 0.5), write(field, value, -0.5)

    assert raising.text == f"{phrase} raises the risk"
    assert lowering.text == f"{phrase} lowers the risk"
    assert shorten(raising) == phrase
    assert shorten(lowering) == lowering.text


def test_a_reason_of_an_unknown_field_keeps_its_words() -> None:
    """A prediction may be of another schema than the page's."""
    reason = ReasonGiven("plan", "gold", 0.5, "The gold plan raises the risk")
    assert short_reason_writer(BANK)(reason) == reason.text
