"""Which column says who has left, and which of its values."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from churnstream.errors import ConfigurationError
from churnstream.escaping import quote
from churnstream.schema.fields import Category
from churnstream.schema.inference.columns import Column, Flags
from churnstream.schema.inference.questions import Candidate, Question, column_named
from churnstream.schema.inference.vocabulary import (
    flag,
    label_rank,
    says_churned,
    says_left,
    says_stayed,
    says_staying,
)
from churnstream.schema.values import read

_MAX_VALUES = 8  # of a status of which one value says that a customer has left
_NONE = "none"
_BINARY = 2
_MAX_SPELLINGS = 20
_SURE = 2  # see `label_rank`
_MAX_SHOWN = 20


class Outcome(NamedTuple):
    """The label of a table.

    Attributes:
        churned: The value of those who left, as it stands in the file.
        stayed: The other value, where there is only one.
        why: In words.
    """

    column: Column
    churned: str
    stayed: str | None
    why: str

    @property
    def known(self) -> Flags:
        """By row, whether it says anything."""
        return np.asarray(self.column.codes >= 0)

    @property
    def left(self) -> Flags:
        """By row, whether the customer has left."""
        return np.asarray(self.column.codes == self.column.texts.index(self.churned))


class _Found(NamedTuple):
    """A column that may be the label; `churned` is None where its values do not say."""

    rank: int
    column: Column
    churned: str | None


def outcome(columns: Sequence[Column], given: str | None) -> Outcome | Question | None:
    """The label of a table; a question where it is not certain; None if there is none.

    Args:
        given: What the user says: a column, COLUMN=VALUE, or none.

    Raises:
        ConfigurationError: The user names what is not there.
    """
    columns = list(map(_folded, columns))
    if given == _NONE and all(c.name != _NONE for c in columns):
        return None
    if given is not None:
        return _given(columns, given)
    candidates = sorted((f for c in columns if (f := _found(c))), key=lambda f: -f.rank)
    if not candidates:
        return None
    best = [f for f in candidates if f.rank == candidates[0].rank]
    first = _same(best)
    if first is not None and first.churned is not None and first.rank >= _SURE:
        return _outcome(first.column, first.churned)
    return _question("which column says who has left, if any?", best)


def _folded(column: Column) -> Column:
    """The column with one spelling of each value, the most frequent: case says nothing here."""
    if not _BINARY < column.distinct <= _MAX_SPELLINGS:
        return column
    spelt: dict[str, list[int]] = {}
    for code, text in enumerate(column.texts):
        spelt.setdefault(text.casefold(), []).append(code)
    if len(spelt) == column.distinct:
        return column
    own = {code: n for n, codes in enumerate(spelt.values()) for code in codes}
    renumbered = np.array([*(own[code] for code in range(column.distinct)), -1])
    best = [max(codes, key=lambda code: column.counts[code]) for codes in spelt.values()]
    return replace(
        column,
        codes=renumbered[column.codes],
        texts=tuple(column.texts[code] for code in best),
        counts=np.array([column.counts[codes].sum() for codes in spelt.values()]),
    )


def signature(column: Column) -> bytes:
    """The same for two columns that say the same of each row, whatever they call it."""
    return column.codes.astype(np.int32).tobytes()


def _given(columns: Sequence[Column], given: str) -> Outcome | Question:
    is_name = any(c.name == given for c in columns)
    name, equals, value = (given, "", "") if is_name else given.rpartition("=")
    column = column_named(columns, name if equals else given, "--label")
    if equals:
        texts = Category(values=column.texts) if column.texts else Category()
        churned = read(texts, value)
        if not isinstance(churned, str) or churned not in column.texts:
            raise ConfigurationError(
                f"--label: {column.name} is never {quote(value)}; it is {_listed(column)}"
            )
        return _outcome(column, churned)
    found = _found(column, any_name=True)
    if found is None:
        raise ConfigurationError(
            f"--label: which value of {column.name} means that a customer has left? It is "
            f"{_listed(column)}; write --label {column.name}=VALUE"
        )
    if found.churned is None:
        return _question(f"which value of {column.name} means that a customer has left?", [found])
    return _outcome(column, found.churned)


def _listed(column: Column) -> str:
    shown = [quote(text) for text in column.texts[:_MAX_SHOWN]]
    more = [f"or one of {column.distinct - len(shown)} more"]
    return ", ".join(shown + more * (column.distinct > len(shown)))


def _found(column: Column, *, any_name: bool = False) -> _Found | None:
    """A column as a candidate, if its name and its values let it be one."""
    saying = [text for text in column.texts if says_left(text)]
    rank = max(label_rank(column.name), int(any_name))
    if column.distinct == 1 and rank > 1 and 0 < column.filled < column.rows:
        return _Found(rank, column, column.texts[0])  # a mark for those who left
    is_status = bool(saying) and column.distinct <= _MAX_VALUES
    if column.distinct != _BINARY and not (is_status and column.distinct > _BINARY):
        return None
    churned: str | None = None
    if len(saying) == 1:
        churned = saying[0]
        rank = 3 if rank else 1 + says_churned(churned)
        is_sure = says_churned(churned) or all(map(says_staying, _others(column, churned)))
        if column.distinct > _BINARY and not is_sure:
            rank = 1  # another value may mean the same
    elif len(saying) > 1:
        rank = max(rank, 1)
    elif pair := flag(column.texts):
        wanted = pair[0] if says_stayed(column.name) else pair[1]
        churned = next(text for text in column.texts if text.lower() == wanted.lower())
    return _Found(rank, column, churned) if rank else None


def _same(found: Sequence[_Found]) -> _Found | None:
    """The one to take if all say the same: one in words before one in numbers."""
    if len({signature(f.column) for f in found}) > 1:
        return None
    return min(found, key=lambda f: (f.churned is None, f.column.is_numeric))


def _others(column: Column, churned: str) -> list[str]:
    return [text for text in column.texts if text != churned]


def _outcome(column: Column, churned: str) -> Outcome:
    others = _others(column, churned)
    if not others and column.filled < column.rows:
        return _of_mark(column, churned)
    stayed = others[0] if len(others) == 1 else None
    count = int(column.counts[column.texts.index(churned)])
    why = f"{churned} for {count:,} of {column.filled:,} ({count / column.filled:.1%}): they left"
    if len(others) > 1:
        why += f"; {', '.join(others)} count as stayed"
    if column.filled < column.rows:
        missing = column.rows - column.filled
        why += f"; {missing:,} rows do not say and are not trained on"
    return Outcome(column, churned, stayed, why)


def _of_mark(column: Column, churned: str) -> Outcome:
    """The outcome that only those who left are marked with."""
    share = f"{column.filled:,} of {column.rows:,} ({column.filled / column.rows:.1%})"
    codes = np.where(column.codes < 0, 1, column.codes)
    counts = np.append(column.counts, column.rows - column.filled)
    marked = replace(column, codes=codes, texts=(churned, ""), counts=counts)
    return Outcome(marked, churned, "", f"{churned} for {share}: they left; the others are blank")


def _question(text: str, found: Sequence[_Found]) -> Question:
    candidates: list[Candidate] = []
    for _, group in groupby(sorted(found, key=lambda f: signature(f.column)), _signature_of):
        one = _same(list(group))
        if one is not None:
            values = [one.churned] if one.churned else _rarest_first(one.column)
            candidates += [_candidate(one.column, value) for value in values]
    order = {f.column.name: i for i, f in enumerate(found)}
    candidates.sort(key=lambda c: order[c.column])
    return Question("label", text, tuple(candidates))


def _signature_of(found: _Found) -> bytes:
    return signature(found.column)


def _rarest_first(column: Column) -> list[str]:
    return [column.texts[code] for code in np.argsort(column.counts, kind="stable")]


def _candidate(column: Column, value: str) -> Candidate:
    outcome = _outcome(column, value)
    return Candidate(column.name, f"{column.name}={value}", outcome.why)
