"""Writes the predictions of a batch, one behind the other; translated as `scan_kernel` is."""

from typing import NamedTuple

from churnstream.codecs.scan.byte_texts import ByteTexts, Numbers
from churnstream.codecs.scan.scan_kernel import Bytes, Eights, translated

PLACES = 12
"""Digits of a probability behind the point."""
PARTS = 10**PLACES
LEAST = 10 ** (PLACES - 4)
"""Parts; what is less may have an exponent in JSON as our encoder writes it."""
_ZERO, _DOT, _Z = 48, 46, 90
_SECONDS = 19  # bytes of a time up to its second


class Written(NamedTuple):
    """Where predictions are written.

    Attributes:
        content: As many as the largest ones would be, and eight more.
        eights: The same memory, see `ByteTexts`.
        ends: Where each prediction ends, from 0 on, (n + 1,).
    """

    content: Bytes
    eights: Eights
    ends: Numbers


class Figures(NamedTuple):
    """What predictions say, (n,) each.

    Attributes:
        parts: Their probabilities in parts of `PARTS`, at least `LEAST`.
        says_yes: Whether it is 1, or 0.
        partitions: Of the events.
        offsets: Of the events.
    """

    parts: Numbers
    says_yes: Numbers
    partitions: Numbers
    offsets: Numbers


@translated
def write(
    events: ByteTexts,
    places: Numbers,
    figures: Figures,
    common: ByteTexts,
    reasons: ByteTexts,
    target: Written,
) -> None:
    """Write predictions.

    Args:
        events: As they were scanned.
        places: Of ids and times in them, as `scan` has them.
        common: What predictions have in common, in order: before the id, before the probability,
            from there to the time for a "No" and for a "Yes", from the time to the partition,
            before the offset; and the end.
        reasons: What stands before the end, of each.
        target: Written.
    """
    # Arrays by themselves: each look into a tuple would count references.
    text, eights, to, to_eights, ends = (
        events.content,
        events.eights,
        target.content,
        target.eights,
        target.ends,
    )
    own, own_ends, why, why_ends = common.eights, common.ends, reasons.eights, reasons.ends
    parts, says_yes = figures.parts, figures.says_yes
    partitions, offsets = figures.partitions, figures.offsets
    at = 0
    for row in range(len(parts)):
        at = _copy(own, own_ends[0], own_ends[1], to_eights, at)
        at = _copy(eights, places[row, 0], places[row, 1], to_eights, at)
        at = _copy(own, own_ends[1], own_ends[2], to_eights, at)
        at = _write_fraction(parts[row], to, at)
        answer = 2 + says_yes[row]
        at = _copy(own, own_ends[answer], own_ends[answer + 1], to_eights, at)
        at = _copy(eights, places[row, 2], places[row, 2] + _SECONDS, to_eights, at)
        at = _write_rest_of_time(text, places[row, 2] + _SECONDS, places[row, 3] - 1, to, at)
        at = _copy(own, own_ends[4], own_ends[5], to_eights, at)
        at = _write_whole(partitions[row], to, at)
        at = _copy(own, own_ends[5], own_ends[6], to_eights, at)
        at = _write_whole(offsets[row], to, at)
        at = _copy(why, why_ends[row], why_ends[row + 1], to_eights, at)
        at = _copy(own, own_ends[6], own_ends[7], to_eights, at)
        ends[row + 1] = at


@translated
def _copy(eights: Eights, begin: int, end: int, target: Eights, at: int) -> int:
    """Eight at a time; what is too much is written over by what comes next."""
    for k in range(0, end - begin, 8):
        target[at + k] = eights[begin + k]
    return at + end - begin


@translated
def _write_whole(number: int, target: Bytes, at: int) -> int:
    """A whole number, 0 or more."""
    size, rest = 1, number // 10
    while rest > 0:
        size += 1
        rest //= 10
    for k in range(size):
        target[at + size - 1 - k] = _ZERO + number % 10
        number //= 10
    return at + size


@translated
def _write_fraction(parts: int, target: Bytes, at: int) -> int:
    """A number from `LEAST` to `PARTS` of these, without zeros at its end."""
    target[at], target[at + 1] = _ZERO + parts // PARTS, _DOT
    size = PLACES
    while size > 1 and parts % 10 == 0:
        parts //= 10
        size -= 1
    for k in range(size):
        target[at + 1 + size - k] = _ZERO + parts % 10
        parts //= 10
    return at + 2 + size


@translated
def _write_rest_of_time(text: Bytes, begin: int, end: int, target: Bytes, at: int) -> int:
    """Six digits behind a time's second, or none if they are zeros; and its Z."""
    while end > begin + 1 and text[end - 1] == _ZERO:
        end -= 1
    if end > begin + 1:
        for k in range(7):
            target[at + k] = text[begin + k] if begin + k < end else _ZERO
        at += 7
    target[at] = _Z
    return at + 1
