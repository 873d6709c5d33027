"""What only the user can decide, and how a column is found by the name that the user gives."""

import difflib
from collections.abc import Sequence
from typing import Literal

import msgspec

from churnstream.errors import ConfigurationError
from churnstream.schema.inference.columns import Column


class Candidate(msgspec.Struct, frozen=True):
    """One possible answer.

    Attributes:
        answer: What to give for it, as `Exited=1` for the label.
        evidence: What speaks for it, in words.
    """

    column: str
    answer: str
    evidence: str


class Question(msgspec.Struct, frozen=True):
    """Something that a file does not tell for certain.

    Attributes:
        about: What the answer is given for; the flag of the same name takes it.
        candidates: The likeliest first; none where nothing fits.
    """

    about: Literal["id", "label"]
    text: str
    candidates: tuple[Candidate, ...]


def column_named(columns: Sequence[Column], name: str, flag: str) -> Column:
    """The column that a user means: of this name, or the only one of it in another case.

    Raises:
        ConfigurationError: There is none.
    """
    exact = [c for c in columns if c.name == name]
    loose = exact or [c for c in columns if c.name.strip().lower() == name.strip().lower()]
    if len(loose) == 1:
        return loose[0]
    names = [c.name for c in columns]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names[:30])}"
    raise ConfigurationError(f"{flag}: the file has no column {name}; {hint}")
