"""What a model of our own computes by, in numbers: a sum of terms, or boosted trees."""

from pathlib import Path

import msgspec

from churnstream.errors import ModelError
from churnstream.model.kinds import Kind
from churnstream.model.pipeline_file import TRAIN_AGAIN
from churnstream.model.terms import Terms
from churnstream.model.trees import Trees
from churnstream.records.rejection import UNDECODABLE
from churnstream.schema.schema import Schema

Formula = Terms | Trees


def read_formula(path: Path, content: bytes, kind: Kind, schema: Schema) -> Formula:
    """The formula in a file.

    Args:
        path: Named in errors.
        schema: Of the events that it is to score.

    Raises:
        ModelError: It holds none of this kind, or one that is not sound or of other fields.
    """
    name, part = ("boosted trees", "trees") if kind == "trees" else ("sum of terms", "terms")
    try:
        decode = msgspec.json.decode
        formula = decode(content, type=Trees) if kind == "trees" else decode(content, type=Terms)
    except UNDECODABLE as error:
        raise ModelError(f"{path} holds no {name} ({error}); {TRAIN_AGAIN}") from error
    if not formula.fit(schema.numeric, schema.categorical):
        raise ModelError(f"{path} is not sound: its {part} cannot be; {TRAIN_AGAIN}")
    return formula


def in_words(formula: Formula) -> str:
    """What it is, for people."""
    if isinstance(formula, Trees):
        fields = len(formula.numbers) + len(formula.texts)
        return f"{len(formula.trees)} boosted trees of {fields} fields"
    pairs = len(formula.pairs)
    return f"a sum of {len(formula.fields)} terms" + (f" and {pairs} of pairs" * bool(pairs))
