"""Hypothesis makes schemas, fields and values."""

from typing import Any

from hypothesis import strategies as st

from churnstream.schema.fields import (
    AnyField,
    Boolean,
    Category,
    Date,
    Integer,
    MissingRule,
    Number,
)
from churnstream.schema.schema import Label, Origin, Schema, Segment
from churnstream.schema.schema_checks import fault_of_name, faults

_AWKWARD = [
    *["", " ", "null", "Null", "~", "yes", "No", "NA", "1", "1.0", "-0", ": ", " #x", "'", '"'],
    *["{", "[a]", "- a", "? a", "<<", "=", "*", "&a", "!b", "%", "@", "|", ">", "---", "..."],
    *["a: b", "\n", "\t", "a\x85b", "\u2028", "\ufeff", "\x00", "é", "漢字", "🙂", "a,b", "a}"],
    *["\\", "0x1F", "../x", "-1", "./x"],
]
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(_AWKWARD)
NAMES = (
    st.text(st.characters(codec="utf-8", min_codepoint=32, exclude_characters='"\\'), max_size=20)
    | st.sampled_from([text for text in _AWKWARD if fault_of_name(text) is None])
).filter(bool)
"""Of columns: drawn from what a name may be, since most texts have a character that it may not."""
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
MISSING = st.sampled_from(["reject", "allow"])


def distinct_texts(minimum: int, maximum: int) -> st.SearchStrategy[tuple[str, ...]]:
    """Texts of which no two are the same."""
    return st.lists(TEXTS, min_size=minimum, max_size=maximum, unique=True).map(tuple)


def fields(*, rules: bool = False) -> st.SearchStrategy[AnyField]:
    """Fields of every type.

    Args:
        rules: Whether a missing number may count as another one.
    """
    words = (
        st.none()
        | TEXTS
        | st.dictionaries(TEXTS, TEXTS, max_size=3).filter(
            lambda d: len({k.lower() for k in d}) == len(d)
        )
    )
    missing = MISSING | st.builds(MissingRule, FLOATS) if rules else MISSING
    bounds = st.tuples(INTEGERS, INTEGERS).map(sorted)
    limits = st.tuples(FLOATS, FLOATS).map(sorted)
    return st.one_of(
        st.builds(
            lambda b, **k: Integer(min=b[0], max=b[1], **k), bounds, missing=missing, words=words
        ),
        st.builds(
            lambda b, **k: Number(min=b[0], max=b[1], **k), limits, missing=missing, words=words
        ),
        st.builds(
            Category,
            values=st.none() | distinct_texts(1, 4),
            unknown=st.sampled_from(["reject", "other"]),
            missing=MISSING,
            words=words,
        ),
        st.builds(
            Boolean,
            values=distinct_texts(2, 2)
            | st.sampled_from([("0", "1"), ("false", "true"), ("yes", "no")]),
            missing=MISSING,
            words=words,
        ),
        st.builds(
            Date,
            order=st.sampled_from(["year-first", "day-first", "month-first"]),
            missing=MISSING,
            words=words,
        ),
    )


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Schemas without a fault, of any names."""
    names = draw(st.lists(NAMES, min_size=4, max_size=8, unique_by=str.lower))
    the_id, label, left_out, *rest = names
    made = {name: draw(fields(rules=True)) for name in rest}
    numeric = [n for n, f in made.items() if isinstance(f, Integer | Number)]
    segments: list[str | Segment] = []
    for name in rest:
        if name not in numeric:
            segments.append(draw(st.just(name) | st.builds(Segment, st.just(name), title=TEXTS)))
        elif draw(st.booleans()):
            edges = draw(st.lists(FLOATS, min_size=1, max_size=3, unique=True))
            segments.append(Segment(name, tuple(sorted(edges))))
    values = st.none() | FLOATS.map(abs) | (st.sampled_from(numeric) if numeric else st.none())
    schema = Schema(
        name=draw(st.from_regex("[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)),
        id=the_id,
        fields=made,
        label=draw(st.none() | st.builds(Label, st.just(label), TEXTS, st.none())),
        event_time=draw(st.none() | NAMES),
        value=draw(values),
        left_out=draw(st.just({}) | st.builds(lambda t: {left_out: t}, TEXTS)),
        segments=tuple(segments),
        file=draw(st.none() | st.builds(Origin, path=st.none() | TEXTS, sheet=st.none() | TEXTS)),
    )
    return schema if not list(faults(schema)) else draw(st.nothing())


def raw_values() -> st.SearchStrategy[Any]:
    """What may stand in a field: JSON values, texts as files have them, Python's own."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        TEXTS,
        st.dates(),
        st.datetimes(),
        st.integers().map(str),
        FLOATS.map(str),
        st.dates().map(str),
        st.dates().map(lambda d: f"{d.day}.{d.month}.{d.year:04}"),
        st.lists(st.integers(), max_size=1),
        st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
    )
