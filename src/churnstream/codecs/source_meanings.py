"""What values mean whose types say more than JSON does, in the words that files have for it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from churnstream.codecs.connect_kinds import DAYS, DECIMAL, PARTS_OF_A_SECOND
from churnstream.codecs.source_records import Path
from churnstream.codecs.source_values import remake_of, since_1970
from churnstream.schema.fields import Date, Number

_SCALED = {"scale", "value"}  # a decimal that says its own scale
_number, _day = remake_of(Number()), remake_of(Date())


def meaning_of(content: Any, kinds: Mapping[Path, str], path: Path = ()) -> Any:  # noqa: ANN401
    """A value with its days as 2024-03-05, its timestamps as RFC 3339, its decimals as numbers.

    Args:
        content: As JSON has it.
        kinds: By path the type in a Connect schema.
        path: Of the value.
    """
    if isinstance(content, dict) and content.keys() != _SCALED:
        return {name: meaning_of(value, kinds, (*path, name)) for name, value in content.items()}
    kind = kinds.get(path, "")
    if content is None or not (kind or isinstance(content, dict)):
        return content
    raw = msgspec.json.encode(content)
    if kind in PARTS_OF_A_SECOND:
        return since_1970(raw, PARTS_OF_A_SECOND[kind]) or content
    remake = _day if kind in DAYS else _number
    is_known = kind in DAYS or kind.startswith(DECIMAL) or isinstance(content, dict)
    return msgspec.json.decode(remake(raw, kind)) if remake and is_known else content
