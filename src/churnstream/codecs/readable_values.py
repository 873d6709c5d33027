"""Values with types of their own, as people read them: times, days and decimals as text."""

from typing import Any

import msgspec

from churnstream.codecs.connect_kinds import DAYS, DECIMAL, PARTS_OF_A_SECOND
from churnstream.codecs.source_records import Parsed, Path
from churnstream.codecs.source_values import day_of, decimal_text, timestamp_of


def readable(parsed: Parsed) -> Any:  # noqa: ANN401  # as JSON has it
    """What a value holds; where a type says more than the number that stands there, its text."""
    for path, kind in parsed.kinds.items():
        _replace(parsed.content, path, kind)
    return parsed.content


def _replace(content: Any, path: Path, kind: str) -> None:  # noqa: ANN401
    for name in path[:-1]:
        content = content.get(name) if isinstance(content, dict) else None
    if isinstance(content, dict) and path[-1] in content:
        found = _text(content[path[-1]], kind)
        if found is not None:
            content[path[-1]] = found


def _text(value: Any, kind: str) -> str | None:  # noqa: ANN401
    """None where there is none."""
    if kind.startswith(DECIMAL):
        raw = decimal_text(msgspec.json.encode(value), kind.removeprefix(DECIMAL))
        return raw.decode()
    if not isinstance(value, int):
        return None
    if kind in DAYS:
        return day_of(value)
    parts = PARTS_OF_A_SECOND.get(kind)
    return timestamp_of(value, parts) if parts else None
