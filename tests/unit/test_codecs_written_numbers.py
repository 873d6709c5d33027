"""Numbers as people write them, in events."""

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnstream.codecs.written_numbers import written_numbers
from churnstream.files.file_form import FileForm
from churnstream.files.plain_numbers import plain_numbers
from churnstream.schema.event_source import EventSource, faults_of_source

GERMAN, ENGLISH = FileForm(decimal=",", thousands="."), FileForm(decimal=".", thousands=",")
NUMBERISH = st.text("0123456789.,- €%()+eE", max_size=12)


@pytest.mark.parametrize(
    ("form", "text", "meant"),
    [
        (GERMAN, "1.234,50", 1234.5),
        (GERMAN, "1.234", 1234),
        (GERMAN, "-3,5", -3.5),
        (GERMAN, "12,50 €", 12.5),
        (ENGLISH, "$1,234.50", 1234.5),
        (ENGLISH, "(12)", -12),
    ],
)
def test_a_number(form: FileForm, text: str, meant: float) -> None:
    """It is read by its marks; units do not matter."""
    assert float(written_numbers(form)(msgspec.json.encode(text))) == meant


@given(NUMBERISH, st.sampled_from([GERMAN, ENGLISH, FileForm(decimal=",", thousands="")]))
def test_the_same_as_in_a_file(text: str, form: FileForm) -> None:
    """A text means the same number in an event and in a file, or none in both."""
    raw = msgspec.json.encode(text)
    found = written_numbers(form)(raw)
    in_a_file = plain_numbers(pa.array([text]), form)[0].as_py()
    if found == raw:
        assert in_a_file.strip() == text.strip()  # a file's cell may have lost its blanks
    else:
        assert float(found) == float(in_a_file)


def test_marks_that_are_the_same() -> None:
    """The decimal sign cannot stand between thousands, too."""
    faults = faults_of_source(EventSource(decimal=",", thousands=","), set())
    assert [where for where, _ in faults] == ["thousands"]
