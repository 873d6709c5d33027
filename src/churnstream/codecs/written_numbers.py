"""Numbers that events hold as texts, as people write them: `1.234,50`."""

import re
from collections.abc import Callable
from functools import lru_cache

import msgspec

from churnstream.files.file_form import FileForm

_MAX_TEXTS = 10_000  # that are remembered
_MAX_LENGTH = 100  # of a text that may be a number

Written = Callable[[bytes], bytes]
"""Takes a JSON text; the number that it is, or the text where it is none."""


def written_numbers(form: FileForm) -> Written:
    """What reads numbers that are written so.

    The usual ones are read here; what has a unit, or is odd in any other way, means what it means
    in a file.
    """
    mark, point = re.escape(form.thousands or ""), re.escape(form.decimal or ".")
    grouped = rf"|\d{{1,3}}(?:{mark}\d{{3}})+" if mark else ""
    usual = re.compile(rf"(-?(?:[1-9]\d*|0{grouped}))(?:{point}(\d+))?", re.ASCII)

    def read(raw: bytes) -> bytes:
        try:
            text = msgspec.json.decode(raw, type=str).strip()
        except msgspec.DecodeError:
            return raw
        if found := usual.fullmatch(text):
            whole = found[1].replace(form.thousands, "") if form.thousands else found[1]
            return (f"{whole}.{found[2]}" if found[2] else whole).encode()
        plain = _as_in_a_file(text, form) if len(text) <= _MAX_LENGTH else text
        return raw if plain == text else plain.encode()

    return read


@lru_cache(_MAX_TEXTS)
def _as_in_a_file(text: str, form: FileForm) -> str:
    import pyarrow as pa

    from churnstream.files.plain_numbers import plain_numbers

    return str(plain_numbers(pa.array([text], pa.string()), form)[0].as_py())
