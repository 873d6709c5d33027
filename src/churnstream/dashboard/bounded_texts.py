"""Texts out of records, which anyone may have written: bounded in length and in number."""

from hashlib import blake2b

from churnstream.escaping import printable

_MAX_NAME_LENGTH = 80
_MAX_TEXT_LENGTH = 200


def short_name(name: str) -> str:
    """A customer's name as the page has it: a long one is cut, and still nobody else's."""
    if len(name) <= _MAX_NAME_LENGTH and name.isprintable():
        return name
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{printable(name, _MAX_NAME_LENGTH)} #{digest}"


class BoundedTexts:
    """Numbers for texts that occur again and again; those beyond a limit share one.

    Args:
        max_count: How many there may be.
        other: What the ones beyond the limit are called.
    """

    def __init__(self, max_count: int, other: str = "") -> None:
        self.all: list[str] = [""]
        self._numbers: dict[str, int] = {}
        self._max_count, self._beyond = max_count, 0
        if other:
            self._beyond = self.number(other)

    def number(self, text: str) -> int:
        """The text's number."""
        known = self._numbers.get(text)
        if known is None:
            text = printable(text, _MAX_TEXT_LENGTH)
            known = self._numbers.get(text)
        if known is None:
            if len(self.all) > self._max_count:
                return self._beyond
            known = self._numbers[text] = len(self.all)
            self.all.append(text)
        return known

    def find(self, text: str) -> int:
        """The text's number, -1 for one that never occurred."""
        return self._numbers.get(text, -1)
