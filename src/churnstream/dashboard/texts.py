"""Texts out of records, which anyone may have written: bounded in length and in number."""

from hashlib import blake2b

from churnstream.escaping import printable

OTHER = "other"
_LONGEST_NAME = 80
_LONGEST_TEXT = 200


def short_name(name: str) -> str:
    """A customer's name as the page has it: a long one is cut, and still nobody else's."""
    if len(name) <= _LONGEST_NAME and name.isprintable():
        return name
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
    return f"{printable(name, _LONGEST_NAME)} #{digest}"


class Texts:
    """Numbers for texts that occur again and again; those beyond a limit share one.

    Args:
        other: What the ones beyond the limit are called.
    """

    def __init__(self, most: int, other: str = "") -> None:
        self.all: list[str] = [""]
        self._numbers: dict[str, int] = {}
        self._most, self._beyond = most, 0
        if other:
            self._beyond = self.number(other)

    def number(self, text: str) -> int:
        """The text's number."""
        known = self._numbers.get(text)
        if known is None:
            text = printable(text, _LONGEST_TEXT)
            known = self._numbers.get(text)
        if known is None:
            if len(self.all) > self._most:
                return self._beyond
            known = self._numbers[text] = len(self.all)
            self.all.append(text)
        return known

    def find(self, text: str) -> int:
        """The text's number, -1 for one that never occurred."""
        return self._numbers.get(text, -1)
