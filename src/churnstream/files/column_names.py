"""Names of columns: whether a header is one, and which columns a schema means by its names."""

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from churnstream.errors import DataError
from churnstream.files.file_errors import FileError

_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_YEAR = re.compile(r"(19|20)\d\d")
_SEPARATORS = re.compile(r"[\W_]+")


def header(cells: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The names of columns, and notes on those that were changed.

    Args:
        cells: The header as it stands in the file.

    Raises:
        FileError: It is a row of data, or has a name twice.
    """
    names = [cell.strip() for cell in cells]
    _check_header(names)
    notes = []
    if names != list(cells):
        notes.append("blanks around the names of columns are left out")
    for place, name in enumerate(names):
        if not name:
            names[place] = f"Unnamed: {place}"  # as pandas calls it
            notes.append(f"column {place + 1} has no name and is called {names[place]!r}")
    check_distinct(names)
    return tuple(names), notes


def _check_header(names: Sequence[str]) -> None:
    numbers = [name for name in names if _NUMBER.fullmatch(name) and not _YEAR.fullmatch(name)]
    filled = [name for name in names if name]
    is_doubled = len(set(filled)) < len(filled)
    has_fraction = any(not name.lstrip("+-").isdigit() for name in numbers)
    if numbers and (is_doubled or has_fraction or 2 * len(numbers) >= len(names)):
        raise FileError(
            f"has no header: its first row holds values such as {', '.join(numbers[:3])}; write "
            "the names of the columns into a first row"
        )


def check_distinct(names: Sequence[str]) -> None:
    """Reject names that are there more than once.

    Raises:
        FileError: Some are; it says which.
    """
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        columns = f"the column{'s' if len(doubled) > 1 else ''} {', '.join(doubled)}"
        raise FileError(f"has {columns} more than once; keep one of each")


def match_names(wanted: Sequence[str], found: Sequence[str]) -> dict[str, str]:
    """Which columns of a file are meant by the names of a schema.

    The same name counts, else the only one that is the same but for case, blanks, underscores and
    hyphens: monthlyCharges is monthly_charges is "Monthly Charges".

    Returns:
        The file's name for each name that is wanted, in that order.

    Raises:
        DataError: Some are missing, or several columns may be meant. The line begins with "lacks"
            or "has", for the file's name to be put before it.
    """
    exact = set(wanted) & set(found)
    alike: dict[str, list[str]] = {}
    for name in found:
        if name not in exact:
            alike.setdefault(_folded(name), []).append(name)
    claimed = Counter(_folded(name) for name in wanted if name not in exact)
    matched, missing = {}, []
    for name in wanted:
        candidates = [name] if name in exact else alike.get(_folded(name), [])
        if len(candidates) > 1 or (candidates and name not in exact and claimed[_folded(name)] > 1):
            raise DataError(
                f"has {' and '.join(map(repr, candidates))}, and any of them may be {name}; "
                "rename the one that is meant"
            )
        if candidates:
            matched[name] = candidates[0]
        else:
            missing.append(name)
    if missing:
        raise DataError(_lacks(missing, found, set(matched.values())))
    return matched


def match_notes(matched: dict[str, str]) -> list[str]:
    """What `match_names` took for what, in words, where the names differ."""
    return [
        f"column {found!r} is taken for {name}" for name, found in matched.items() if name != found
    ]


def _folded(name: str) -> str:
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", name).casefold()) or name


def _lacks(missing: Sequence[str], found: Sequence[str], taken: set[str]) -> str:
    free = {_folded(name): name for name in found if name not in taken}
    words = []
    for name in missing:
        close = difflib.get_close_matches(_folded(name), free, n=1)
        words.append(f"{name} (did you mean {free[close[0]]!r}?)" if close else name)
    columns = f"lacks the column{'s' if len(missing) > 1 else ''} {', '.join(words)}"
    return columns if "did you mean" in columns else f"{columns}; it has {', '.join(found)}"
