"""Why a record is not scored, in words."""

from pathlib import Path

from churnstream.records.rejection import REASONS, Rejection, RejectionCount, too_large


def test_a_rejection_reads_field_first() -> None:
    """In words a rejection is the field at fault and what is wrong with it."""
    assert str(Rejection("missing_field", "Contract", "is missing")) == "Contract: is missing"


def test_reasons_are_sorted_and_told_apart() -> None:
    """The reasons are a closed list, for filters and counters."""
    assert sorted(set(REASONS)) == list(REASONS)


def test_what_does_not_fit_names_the_field_of_the_id() -> None:
    """Whatever the schema calls it."""
    assert str(too_large(2_000, 1_000, "CustomerId")) == (
        "CustomerId: its prediction would take 2,000 bytes, and the output topic takes 1,000"
    )


def test_rejections_are_counted_with_an_example() -> None:
    """By reason and field, the most frequent first, each as it was first seen, shortened."""
    count = RejectionCount()
    count.add(Rejection("wrong_type", "a", "x" * 1000), "row 1")
    for row in (2, 3):
        count.add(Rejection("missing_field", "b", "is missing"), f"row {row}")

    assert count.total == 3
    assert count.in_words() == (
        "2 missing_field in b, as in row 2: is missing; "
        f"1 wrong_type in a, as in row 1: {'x' * 200}"
    )


def test_every_reason_is_documented() -> None:
    """Whoever filters dead letters by reason finds all of them in one place."""
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")

    assert [reason for reason in REASONS if f"`{reason}`" not in page] == []
