import pytest

from churnstream.errors import DataError
from churnstream.files.column_names import match_names, match_notes

WANTED = ["customerID", "MonthlyCharges", "tenure"]


@pytest.mark.parametrize(
    "found",
    [
        ["customerID", "MonthlyCharges", "tenure"],
        ["customer_id", "monthly_charges", "TENURE"],
        ["Customer ID", "Monthly Charges", "Tenure"],
        ["customer-id", "monthlycharges", "te nure"],
    ],
)
def test_names_are_matched(found: list[str]) -> None:
    """Case, blanks, underscores and hyphens do not count."""
    assert match_names(WANTED, ["extra", *reversed(found)]) == dict(zip(WANTED, found, strict=True))


def test_the_same_name_comes_first() -> None:
    """A name that is there exactly is meant, whatever else looks like it."""
    assert match_names(["a_b"], ["A B", "a_b", "ab"]) == {"a_b": "a_b"}
    assert match_names(["ab", "AB"], ["AB", "a-b"]) == {"ab": "a-b", "AB": "AB"}


def test_matches_are_said() -> None:
    """What was taken for what is told in words, but for what is the same."""
    matched = match_names(["customerID", "tenure"], ["customer_id", "tenure"])

    assert match_notes(matched) == ["column 'customer_id' is taken for customerID"]


@pytest.mark.parametrize(
    ("wanted", "found", "says"),
    [
        (["Contract"], ["Contrat"], "lacks the column Contract (did you mean 'Contrat'?)"),
        (["a", "b"], ["c", "d"], "lacks the columns a, b; it has c, d"),
        (
            ["customerID"],
            ["customer_id", "Customer ID"],
            "has 'customer_id' and 'Customer ID', and any of them may be customerID; rename the "
            "one that is meant",
        ),
        (["ab", "A B"], ["a_b"], "has 'a_b', and any of them may be ab; rename the one"),
    ],
)
def test_names_that_do_not_match(wanted: list[str], found: list[str], says: str) -> None:
    """What is missing or may be several is named in one line."""
    with pytest.raises(DataError) as caught:
        match_names(wanted, found)

    assert str(caught.value).startswith(says)


def test_names_without_a_letter() -> None:
    """Names of signs alone are told apart."""
    assert match_names(["%", "#"], ["#", "%"]) == {"%": "%", "#": "#"}
