"""The decimal sign of a file, and what stands between the thousands of its numbers."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from churnstream.files.file_form import FileForm

_NUMBERS_IN_COLUMN = 0.8  # of its texts, or it tells nothing
_MONEY = "[$€£¥₹]|EUR|USD|GBP|CHF"
_UNITS = re.compile(rf"^[\s\-+\u2212(]*(?:{_MONEY})?[\s\-+\u2212]*|\s*(?:{_MONEY}|%)?[\s)]*$")
_BLANKS = re.compile(r"(?<=\d)[ \u00a0\u2009\u202f](?=\d{3}(?:\D|$))")
_DIGITS = re.compile(r"\d+")
_EITHER = "?"
# What a text tells: the decimal sign and the mark of thousands. Tried in this order.
_SIGNS = (
    (re.compile(r"\d{1,3}(\.\d{3})+,\d+|\d{1,3}(\.\d{3}){2,}"), ",", "."),
    (re.compile(r"\d{1,3}(,\d{3})+\.\d+|\d{1,3}(,\d{3}){2,}"), ".", ","),
    (re.compile(r"[1-9]\d{0,2},\d{3}"), _EITHER, ","),
    (re.compile(r"[1-9]\d{0,2}\.\d{3}"), _EITHER, "."),
    (re.compile(r"\d{1,3}(['\u2019]\d{3})+,\d+"), ",", "'"),
    (re.compile(r"\d{1,3}(['\u2019]\d{3})+(\.\d+)?"), ".", "'"),
    (re.compile(r"\d*,\d+"), ",", ""),
    (re.compile(r"\d*\.\d+"), ".", ""),
)
_WORDS = {" ": "blanks", "'": "'", ".": ".", ",": ","}


def number_marks(
    columns: Mapping[str, Sequence[str | None]], form: FileForm, likely: str = "."
) -> tuple[FileForm, list[str]]:
    """Find the marks that are not declared.

    Args:
        columns: Texts of a sample by their columns.
        likely: The decimal sign where the sample does not tell.

    Returns:
        The form with both marks, and what there is to say of them.
    """
    found = {name: _signs_of(texts) for name, texts in columns.items()}
    decimal = form.decimal
    notes: list[str] = []
    if decimal is None:
        decimal, notes = _decimal(found, likely)
    thousands = form.thousands
    if thousands is None:
        marks: Counter[str] = Counter()
        for signs in found.values():
            marks.update({mark: n for (_, mark), n in signs.items() if mark not in ("", decimal)})
        thousands = marks.most_common(1)[0][0] if marks else ""
    return replace(form, decimal=decimal, thousands=thousands), notes


def marks_in_words(form: FileForm) -> list[str]:
    """The marks of a form, where they are not those of JSON."""
    words = ["decimal comma"] if form.decimal == "," else []
    return [*words, f"thousands set apart by {_WORDS[form.thousands]}"] if form.thousands else words


def _decimal(found: Mapping[str, Counter[tuple[str, str]]], likely: str) -> tuple[str, list[str]]:
    """The decimal sign by most columns, and a note where they do not agree or do not tell."""
    names: dict[str, list[str]] = {".": [], ",": [], _EITHER: []}
    for name, signs in found.items():
        told = Counter[str]()
        for (sign, _), count in signs.items():
            told[sign] += count
        sure = told["."] + told[","]
        if sure:
            names["." if told["."] >= told[","] else ","].append(name)
        elif told[_EITHER]:
            names[_EITHER].append(name)
    commas, points, either = names[","], names["."], names[_EITHER]
    if commas and points:
        sign = "," if len(commas) > len(points) else "."
        return sign, [
            f"numbers have decimal commas in {commas[0]!r} and points in {points[0]!r}; {sign!r} "
            "is taken; declare the decimal sign if it is the other"
        ]
    if commas or points or not either:
        return ("," if commas else "." if points else likely if either else "."), []
    return likely, [
        f"the numbers of {either[0]!r} tell no decimal sign from a mark of thousands; {likely!r} "
        "is taken for the decimal sign; declare it if it is the other"
    ]


def _signs_of(texts: Sequence[str | None]) -> Counter[tuple[str, str]]:
    """What the texts of a column tell, if they are numbers."""
    signs: Counter[tuple[str, str]] = Counter()
    others = whole = 0
    for text in {text.strip() for text in texts if text}:
        if not text or _DIGITS.fullmatch(text):
            whole += bool(text)
        elif sign := _sign_of(text):
            signs[sign] += 1
        else:
            others += 1
    numbers = whole + signs.total()
    return signs if numbers >= _NUMBERS_IN_COLUMN * (numbers + others) else Counter()


def _sign_of(text: str) -> tuple[str, str] | None:
    bare = _UNITS.sub("", text)
    joined = _BLANKS.sub("", bare)
    for pattern, decimal, thousands in _SIGNS:
        if pattern.fullmatch(joined):
            return decimal, " " if joined != bare else thousands
    return ("", " " if joined != bare else "") if _DIGITS.fullmatch(joined) else None
