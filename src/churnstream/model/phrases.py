"""Reasons in words."""

from collections.abc import Callable
from functools import lru_cache

from churnstream.records.prediction import ReasonGiven
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
    phrases = {name: _phrases(name, field.words) for name, field in schema.fields.items()}

    def write(name: str, value: str, effect: float) -> ReasonGiven:
        own = phrases[name]
        phrase = own.get(value) or own[_OTHERS].replace("{value}", value[:_MAX_LENGTH])
        direction = " raises the risk" if effect > 0 else " lowers the risk"
        return ReasonGiven(name, value, effect, phrase + direction)

    return write


def _phrases(name: str, words: str | dict[str, str] | None) -> dict[str, str]:
    named = words_of(name)
    default = {_OTHERS: f"{named[:1].upper()}{named[1:]} {{value}}", "": f"No {named} known,"}
    if isinstance(words, str):
        return default | {_OTHERS: words}
    return default | (words or {})
