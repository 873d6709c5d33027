"""Plain texts made of numbers as people write them."""

import pyarrow as pa
import pyarrow.compute as pc

from churnstream.files.file_form import FileForm

_BLANK = r"[ \t\x{00A0}\x{2009}\x{202F}]"
_THOUSANDS = {"": "", " ": _BLANK, ".": r"\.", ",": ",", "'": "['\u2019]"}
_DECIMALS = {".": r"\.", ",": ","}
_UNIT = rf"{_BLANK}*(?:(?:US|CA|AU|NZ|R)?\p{{Sc}}|EUR|USD|GBP|CHF|%)?{_BLANK}*"
_SIGN = "[-+\u2212]?"


def _pattern(decimal: str, thousands: str) -> str:
    """A number with its sign and unit, the digits as a group; RE2's syntax."""
    point, mark = _DECIMALS[decimal], _THOUSANDS[thousands]
    grouped = rf"\d{{1,3}}(?:{mark}\d{{3}})+|" if mark else ""
    digits = rf"(?:{grouped}\d+)(?:{point}\d+)?|{point}\d+"
    body = rf"{_UNIT}(?P<sign>{_SIGN}){_UNIT}(?P<digits>(?:{digits})(?:[eE][-+]?\d+)?){_UNIT}"
    return rf"^(?:{body})$"


def plain_numbers(column: pa.StringArray, form: FileForm) -> pa.StringArray:
    """The texts that are numbers as the file writes them, as plain ones: "1.234,50 €" is 1234.50.

    A unit is dropped (a currency's sign, EUR, USD, GBP, CHF), and so is a plus; "(12)" means -12
    as accountants write it, and 6.9% is 6.9e-2, as a spreadsheet holds it. Whatever is no number
    stays as it is. A text that is plain already is only looked at.

    Args:
        form: The decimal sign is "." and thousands have no mark where it says None.
    """
    # Looked at once, however often it stands there: a Yes is no number in any of a million rows.
    encoded = column.dictionary_encode()
    texts, decimal = encoded.dictionary, form.decimal or "."
    fraction = r"(\.\d+)?" if decimal == "." else ""
    plain = pc.match_substring_regex(texts, rf"^-?\d+{fraction}([eE][-+]?\d+)?$")
    if plain.true_count == len(plain):
        return column
    others = pc.invert(plain)
    mended = _made_plain(texts.filter(others), decimal, form.thousands or "")
    return pc.replace_with_mask(texts, others, mended).take(encoded.indices)


def _made_plain(column: pa.StringArray, decimal: str, thousands: str) -> pa.StringArray:
    """The same for texts that are not plain already."""
    # "(12)" becomes "-12" first, if it is a number.
    debit = pc.replace_substring_regex(column, rf"^{_BLANK}*\(([^()+\-]*)\){_BLANK}*$", r"-\1")
    pattern = _pattern(decimal, thousands)
    is_number = pc.match_substring_regex(debit, pattern)
    parts = pc.extract_regex(debit, pattern)
    digits = pc.struct_field(parts, "digits")
    if thousands:
        digits = pc.replace_substring_regex(digits, _THOUSANDS[thousands], "")
    digits = pc.replace_substring(digits, decimal, ".")
    digits = pc.replace_substring_regex(digits, r"^\.", "0.")
    sign = pc.replace_substring_regex(pc.struct_field(parts, "sign"), "^[-\u2212]$", "-")
    sign = pc.replace_substring(sign, "+", "")
    # Of 6.9e1% the exponent is in the way: it stays as it is, and is none.
    is_percent = pc.match_substring_regex(debit, rf"%{_BLANK}*$|^{_BLANK}*%")
    is_odd = pc.and_(is_percent, pc.match_substring_regex(digits, "[eE]"))
    digits = pc.if_else(is_percent, pc.binary_join_element_wise(digits, "e-2", ""), digits)
    is_number = pc.and_(is_number, pc.invert(pc.fill_null(is_odd, False)))
    return pc.if_else(is_number, pc.binary_join_element_wise(sign, digits, ""), column)
