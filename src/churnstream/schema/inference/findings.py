"""What was concluded of each column, for those who read it."""

from typing import Literal

import msgspec

from churnstream.schema.fields import AnyField, Boolean, Category, Numeric
from churnstream.schema.inference.columns import Column
from churnstream.schema.inference.identify import Id
from churnstream.schema.inference.label_column import Outcome
from churnstream.schema.inference.sorting import Sorting

_EXAMPLES = 3

Role = Literal["id", "label", "time", "field", "left out"]


class Finding(msgspec.Struct, frozen=True):
    """What was concluded of one column.

    Attributes:
        role: What the column is for.
        kind: The type of a field, with its bound; empty for others.
        why: In words.
        examples: A few of its values.
        missing: The share of the rows without a value.
        distinct: How many values it has.
        remark: The part of it that is worth a comment in the schema file.
        auc: How well it alone ranks those who left (ROC AUC, out of fold); None if not measured.
    """

    column: str
    role: Role
    kind: str
    why: str
    examples: tuple[str, ...]
    missing: float
    distinct: int
    remark: str = ""
    auc: float | None = None


def finding(column: Column, the_id: Id | None, label: Outcome | None, found: Sorting) -> Finding:
    """What was concluded of a column."""
    role, kind, why, remark = _conclusion(column, the_id, label, found)
    verdict = found.verdicts.get(column.name)
    return Finding(
        column=column.name,
        role=role,
        kind=kind,
        why=why,
        examples=column.texts[:_EXAMPLES],
        missing=1 - column.filled / column.rows,
        distinct=column.distinct,
        remark=remark,
        auc=verdict.auc if verdict and verdict.is_measured else None,
    )


def _conclusion(
    column: Column, the_id: Id | None, label: Outcome | None, found: Sorting
) -> tuple[Role, str, str, str]:
    """What a column is for, its type, why, and what is worth a comment."""
    if the_id and column.name == the_id.column.name:
        return "id", "", the_id.why, ""
    if label and column.name == label.column.name:
        return "label", "", label.why, ""
    if column.name == found.event_time:
        return "time", "", "says when a row was observed", ""
    if reason := found.left_out.get(column.name):
        return "left out", "", reason, ""
    field = next(f for f in found.fields if f.column is column)
    verdict = found.verdicts.get(column.name)
    remark = "; ".join(part for part in (field.remark, verdict.note if verdict else "") if part)
    why = f"{field.why}; {remark}" if remark else field.why
    return "field", kind_of(field.field), why, remark


def kind_of(field: AnyField) -> str:
    """The type of a field in one or two words."""
    name = str(field.__struct_config__.tag)
    if isinstance(field, Numeric) and field.min == 0:
        return f"{name} ≥ 0"
    if isinstance(field, Category) and field.unknown == "other":
        return "long tail"
    if isinstance(field, Boolean):
        return "yes or no"
    return name
