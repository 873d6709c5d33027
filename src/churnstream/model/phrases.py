"""Reasons in words."""

from collections.abc import Callable
from functools import lru_cache

from churnstream.records.prediction import ReasonGiven
from churnstream.schema.fields import AnyField, Boolean
from churnstream.schema.schema import Schema
from churnstream.schema.segments import words_of

ReasonWriter = Callable[[str, str, float], ReasonGiven]
_MAX_LENGTH = 60  # of a value within a sentence
_OTHERS = "*"


@lru_cache(maxsize=16)
def reason_writer(schema: Schema) -> ReasonWriter:
    """Takes a field, its value as text and its effect in log-odds; the reason with its words.

    The words are those of the schema, or made from the field's name.
    """
    phrases = {name: _phrases(name, field) for name, field in schema.fields.items()}

    def write(name: str, value: str, effect: float) -> ReasonGiven:
        own = phrases[name]
        phrase = own.get(value) or own[_OTHERS].replace("{value}", value[:_MAX_LENGTH])
        direction = " raises the risk" if effect > 0 else " lowers the risk"
        return ReasonGiven(name, value, effect, phrase + direction)

    return write


def _phrases(name: str, field: AnyField) -> dict[str, str]:
    """By value, a missing one being "", what a reason says before its direction."""
    words, named = field.words, words_of(name)
    title = named[:1].upper() + named[1:]
    default = {_OTHERS: f"{title} {{value}}", "": f"{title} not known"}
    if isinstance(field, Boolean):
        default |= dict(zip(field.values, (f"{title}: no", f"{title}: yes"), strict=True))
    if isinstance(words, str):
        return default | {_OTHERS: words}
    return default | (words or {})
