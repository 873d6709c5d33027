"""Reasons in words."""

from collections.abc import Callable
from functools import lru_cache

from churnstream.records.prediction import ReasonGiven
from churnstream.schema.fields import AnyField, Boolean, Date, written
from churnstream.schema.schema import Schema
from churnstream.schema.segments import text_of, words_of
from churnstream.schema.values import plain

ReasonWriter = Callable[[str, str, float], ReasonGiven]
_MAX_LENGTH = 60  # of a value within a sentence
_OTHERS = "*"


@lru_cache(maxsize=16)
def reason_writer(schema: Schema) -> ReasonWriter:
    """Takes a field, its value as text and its effect in log-odds; the reason with its words.

    The words are those of the schema, or made from the field's name.
    """
    phrase = _phrase_maker(schema)

    def write(name: str, value: str, effect: float) -> ReasonGiven:
        direction = " raises the risk" if effect > 0 else " lowers the risk"
        return ReasonGiven(name, value, effect, phrase(name, value) + direction)

    return write


@lru_cache(maxsize=16)
def short_reason_writer(schema: Schema) -> Callable[[ReasonGiven], str]:
    """Takes a reason; its words under a heading that says that what follows raises the risk.

    They are made from the field and its value, and only say the direction where it is the other
    one. A reason of a field that the schema does not have keeps its own words.
    """
    phrase = _phrase_maker(schema)

    def write(reason: ReasonGiven) -> str:
        if reason.effect > 0 and reason.feature in schema.fields:
            return phrase(reason.feature, reason.value)
        return reason.text

    return write


def _phrase_maker(schema: Schema) -> Callable[[str, str], str]:
    """Takes a field and its value as text; what a reason calls the two of them."""
    phrases = {name: _phrases(name, field) for name, field in schema.fields.items()}

    def phrase(name: str, value: str) -> str:
        own = phrases[name]
        return own.get(value) or own[_OTHERS].replace("{value}", value[:_MAX_LENGTH])

    return phrase


def _phrases(name: str, field: AnyField) -> dict[str, str]:
    words, named = field.words, words_of(name)
    named_first = f"{named[:1].upper()}{named[1:]}"
    default = {_OTHERS: f"{named_first} {{value}}", "": f"No known {named}"}
    if isinstance(field, Date):
        default[_OTHERS] = f"{named_first}: {{value}} days ago"
    if isinstance(field, Boolean):
        flags = {plain(flag) or "": flag for flag in written(field)}
        default |= {text: f"{named_first}: {text_of(field, flag)}" for text, flag in flags.items()}
    if isinstance(words, str):
        return {_OTHERS: words, "": default[""]}
    return default | (words or {})
