"""Columns that know who has left, as no column does before a customer leaves.

A reason of a cancellation, the score of another model, or a date that is only there for those who
left make a model look perfect and be of no use. A name makes a column suspect; figures decide.
"""

from collections.abc import Mapping, Sequence
from math import log
from typing import NamedTuple

from churnstream.schema.inference.columns import Column, Flags
from churnstream.schema.inference.field_types import Typed
from churnstream.schema.inference.label_column import Outcome
from churnstream.schema.inference.ranking import alone, together
from churnstream.schema.inference.vocabulary import may_know_the_end, says_of_churn, says_of_model

_PURE = 0.99  # of the rows that have a value
_UNLIKELY = log(1e-6)  # that it is by chance
_PERFECT = 0.98  # ROC AUC
_STRONG = 0.9  # ROC AUC that is worth a word
_SUPPORT = 20  # customers who left, and as many who stayed
_MARGIN = 0.02  # ROC AUC that a suspect tells beyond all others together


class LeakVerdict(NamedTuple):
    """What is known of a column beside the label.

    Attributes:
        auc: Of the column alone; 0.5 where it is not measured.
        leak: In words why it knows the label; None if it does not.
        note: What to say of a column that stays.
    """

    auc: float
    leak: str | None = None
    note: str = ""
    is_measured: bool = True


def leaks(fields: Sequence[Typed], outcome: Outcome) -> Mapping[str, LeakVerdict]:
    """By column, whether it knows the label, with the evidence in figures.

    Args:
        fields: All columns that may be features, those included that are left out afterwards.
    """
    known, left = outcome.known, outcome.left[outcome.known]
    if min(int(left.sum()), int((~left).sum())) < _SUPPORT:
        return {f.column.name: _untested(f.column, outcome) for f in fields}
    figures = {f.column.name: alone(_of_rows(f.column, known), f.order, left) for f in fields}
    verdicts: dict[str, LeakVerdict] = {}
    for field in fields:
        name = field.column.name
        verdicts[name] = _first_verdict(field.column, outcome, figures[name][0])
    honest = [
        name
        for name, verdict in verdicts.items()
        if verdict.leak is None and not _is_suspect(name, verdict.auc)
    ]
    others = together([figures[name][1] for name in honest], left)
    for name, verdict in verdicts.items():
        if verdict.leak is None and _is_suspect(name, verdict.auc):
            with_it = together([figures[n][1] for n in (*honest, name)], left)
            verdicts[name] = _of_suspect(name, outcome.column.name, verdict.auc, others, with_it)
    return verdicts


def filled_only(column: Column, outcome: Outcome) -> str | None:
    """In words, that a column has values only for those who left, or only for the others.

    Where every row has a number, 0 is none; that those who stayed have none says nothing then.

    The same rows by chance would be less likely than one in a million.
    """
    known, left = outcome.known, outcome.left
    has_value, verbs = column.codes >= 0, ("filled", "empty")
    who_has = [(left, "who left"), (known & ~left, "who stayed")]
    if column.is_numeric and column.filled == column.rows:
        has_value, verbs = column.by_row(column.numbers) != 0, ("other than 0", "0")
        who_has = who_has[:1]
    filled = has_value & known
    if filled.sum() in (0, known.sum()):
        return None
    for rows, verb in zip((filled, known & ~filled), verbs, strict=True):
        for who, value in who_has:
            hits, count = int((rows & who).sum()), int(rows.sum())
            base = who.sum() / known.sum()
            if hits >= _PURE * count and base < 1 and hits * log(max(base, 1e-300)) < _UNLIKELY:
                said = f"{verb} only for those {value}, {hits:,} of {count:,} such rows"
                return f"tells {outcome.column.name} ({said})"
    return None


def _first_verdict(column: Column, outcome: Outcome, auc: float) -> LeakVerdict:
    label = outcome.column.name
    if reason := filled_only(column, outcome):
        return LeakVerdict(auc, reason)
    if auc >= _PERFECT:
        return LeakVerdict(
            auc, f"tells {label} (alone it ranks those who left with ROC AUC {auc:.3f})"
        )
    return LeakVerdict(auc)


def _is_suspect(name: str, auc: float) -> bool:
    by_name = says_of_churn(name) or says_of_model(name) or may_know_the_end(name)
    return by_name or auc >= _STRONG


def _untested(column: Column, outcome: Outcome) -> LeakVerdict:
    """By the name, and by where there are values: that takes fewer rows than a figure does."""
    name, reason, note = column.name, filled_only(column, outcome), ""
    if reason is None and says_of_churn(name):
        reason = "speaks of churn by its name; there are too few rows to test it"
    if says_of_model(name) or may_know_the_end(name):
        note = "named as if it knew the label; there are too few rows to test it"
    return LeakVerdict(0.5, reason, note, is_measured=False)


def _of_suspect(name: str, label: str, auc: float, others: float, with_it: float) -> LeakVerdict:
    figures = f"ROC AUC {auc:.3f} alone, all others {others:.3f}, with it {with_it:.3f}"
    if says_of_churn(name):
        return LeakVerdict(auc, f"speaks of churn by its name ({figures})")
    if says_of_model(name) or may_know_the_end(name):
        if auc > others + _MARGIN or (auc >= _STRONG and with_it > others + _MARGIN):
            return LeakVerdict(auc, f"tells {label}, as its name suggests ({figures})")
        return LeakVerdict(auc, None, f"named as if it knew the label, but kept ({figures})")
    return LeakVerdict(auc, None, f"very strong; is it known before a customer leaves? ({figures})")


def _of_rows(column: Column, rows: Flags) -> Column:
    return (
        column
        if rows.all()
        else Column(column.name, column.codes[rows], column.texts, column.counts)
    )
