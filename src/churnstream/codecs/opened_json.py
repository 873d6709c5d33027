"""A JSON value, opened level by level as far as somebody looks into it."""

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import Any

import msgspec

from churnstream.codecs.lenient_decoder import NO_NUMBER, undecodable
from churnstream.codecs.repeated_fields import repeated_field
from churnstream.codecs.source_records import Path
from churnstream.escaping import quote
from churnstream.records.rejection import UNDECODABLE, Rejection
from churnstream.schema.schema import Schema

_NULL = b"null"
_each_member = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@lru_cache(maxsize=1024)
def path_of(text: str) -> Path:
    """`payload.after` as the names in it."""
    return tuple(text.split("."))


class UnusableJsonError(Exception):
    """What was looked into is no object, or cannot be read.

    Attributes:
        rejection: Why.
    """

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(str(rejection))
        self.rejection = rejection


def json_of(content: Any) -> bytes:  # noqa: ANN401  # what JSON has
    """A value as JSON.

    Raises:
        UnusableJsonError: A number in it is NaN or infinite, which would stand there as null.
    """
    found = msgspec.json.encode(content)
    if _NULL in found and (name := _no_number(content, "")) is not None:
        raise UnusableJsonError(Rejection("out_of_range", name or "value", NO_NUMBER))
    return found


def _no_number(content: Any, name: str) -> str | None:  # noqa: ANN401
    """The name of a member that is NaN or infinite."""
    if isinstance(content, float):
        return None if isfinite(content) else name
    if isinstance(content, dict):
        inner = [(str(key), value) for key, value in content.items()]
    else:
        inner = [(name, value) for value in content] if isinstance(content, list) else []
    found = (_no_number(value, key) for key, value in inner)
    return next((one for one in found if one is not None), None)


class OpenedJson:
    """The objects of a value.

    Args:
        schema: Whose fields are known, for errors.
    """

    def __init__(self, value: bytes, schema: Schema) -> None:
        self._schema = schema
        self._opened: dict[Path, Mapping[str, msgspec.Raw]] = {(): self._members(value, ())}

    def find(self, path: Path) -> bytes | None:
        """The JSON of what stands at a path; None if nothing does, or null.

        Raises:
            UnusableJsonError: On the way there is no object, or one in which a name stands twice.
        """
        raw = self.get(path)
        return None if raw == _NULL else raw

    def get(self, path: Path) -> bytes | None:
        """The same, null being something that stands there."""
        raw = self.members(path[:-1]).get(path[-1])
        return None if raw is None else bytes(raw)

    def members(self, path: Path) -> Mapping[str, msgspec.Raw]:
        """The members of the object at a path; none if there is no object."""
        if path not in self._opened:
            raw = self.find(path)
            self._opened[path] = {} if raw is None else self._members(raw, path)
        return self._opened[path]

    def _members(self, value: bytes, path: Path) -> Mapping[str, msgspec.Raw]:
        try:
            found = _each_member(value)
            twice = repeated_field(value)
        except msgspec.ValidationError:
            where = quote(".".join(path)) if path else "value"
            kind = "expected object, got something else"
            raise UnusableJsonError(Rejection("not_an_object", where, kind)) from None
        except (ValueError, *UNDECODABLE) as error:
            raise UnusableJsonError(undecodable(value, error, self._schema)) from error
        if twice:
            why = Rejection("duplicate_field", quote(twice), "appears more than once")
            raise UnusableJsonError(why)
        return found
