"""Texts from outside, fit to be shown."""

from hypothesis import given
from hypothesis import strategies as st

from churnstream.escaping import printable, quote

# 40 characters, each up to 12 when escaped, and the mark of what was cut.
LONGEST_QUOTE = 500


@given(st.text())
def test_a_quoted_text_is_one_short_line_of_ascii(text: str) -> None:
    """Any text can be shown in a header or a log."""
    shown = quote(text)

    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= LONGEST_QUOTE


def test_a_short_text_is_quoted_as_it_is() -> None:
    """What is short stays whole, and what is long says that it was cut."""
    assert quote("Weekly") == '"Weekly"'
    assert quote("x" * 40) == f'"{"x" * 40}"'
    assert quote("x" * 41) == f'"{"x" * 40}..."'


@given(st.text(), st.integers(10, 100))
def test_a_printed_text_is_one_line_of_bounded_length(text: str, most: int) -> None:
    """Nothing in it is obeyed by a terminal, and letters stay as they are."""
    shown = printable(text, most)

    assert shown.isprintable()
    assert len(shown) <= most + len("...")
    assert shown == text or len(text) > most or not text.isprintable()
