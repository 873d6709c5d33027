"""What values of declared types mean."""

import pytest

from churnstream.codecs.connect_kinds import DAYS, DECIMAL, MICROS, MILLIS
from churnstream.codecs.source_meanings import meaning_of


@pytest.mark.parametrize(
    ("value", "kind", "meant"),
    [
        (19_787, DAYS[0], "2024-03-05"),
        (1_767_323_045_000, MILLIS, "2026-01-02T03:04:05.000000Z"),
        (1_767_323_045_000_000, MICROS, "2026-01-02T03:04:05.000000Z"),
        ("Hw4=", f"{DECIMAL}2", 79.5),
        ({"scale": 2, "value": "Hw4="}, "", 79.5),
        (None, DAYS[0], None),
        (5, "some.Other", 5),
        ("no days", DAYS[0], "no days"),
    ],
)
def test_a_value(value: object, kind: str, meant: object) -> None:
    """It is what a file has for it; what is none of its type stays."""
    kinds: dict[tuple[str, ...], str] = {("row", "x"): kind} if kind else {}
    assert meaning_of({"row": {"x": value}, "y": [1]}, kinds) == {"row": {"x": meant}, "y": [1]}
