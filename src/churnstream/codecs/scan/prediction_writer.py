"""Predictions of scanned events, written side by side; see `scan_kernel`."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.codecs.scan.byte_texts import ByteTexts, Numbers, in_eights
from churnstream.codecs.scan.scanned_events import ScannedColumns
from churnstream.codecs.scan.write_kernel import LEAST, PARTS, PLACES, Figures, Written, write
from churnstream.records.prediction import ReasonGiven

_LONGEST = PLACES + 2 + 27 + 10 + 19  # bytes of a prediction's figures
_REASONS = b',"reasons":'
_encode = msgspec.json.Encoder().encode


def written_predictions(
    columns: ScannedColumns,
    probabilities: NDArray[np.float64],
    says_yes: NDArray[np.bool_],
    partitions: Numbers,
    offsets: Numbers,
    reasons: Sequence[list[ReasonGiven] | None],
    *,
    id_name: str,
    version: str,
    now: datetime,
) -> list[bytes | None]:
    """Each prediction as our encoder would write it; None for one that is not usual.

    Args:
        probabilities: In whole parts of `PARTS`.
    """
    numerators = np.rint(probabilities * PARTS).astype(np.int64)
    figures = Figures(np.maximum(numerators, LEAST), says_yes.astype(np.int64), partitions, offsets)
    common = _common(id_name, version, now)
    given = _given(reasons)
    ids = int((columns.places[:, 1] - columns.places[:, 0]).sum())
    most = (int(common.ends[-1]) + _LONGEST) * len(reasons) + ids + int(given.ends[-1])
    target = Written(*in_eights(np.empty(most + 8, np.uint8)), np.zeros(len(reasons) + 1, np.int64))
    write(columns.events, columns.places, figures, common, given, target)
    whole = target.content[: target.ends[-1]].tobytes()
    values: list[bytes | None] = [whole[a:b] for a, b in pairwise(target.ends.tolist())]
    for row in np.flatnonzero(numerators < LEAST).tolist():
        values[row] = None
    return values


def _given(reasons: Sequence[list[ReasonGiven] | None]) -> ByteTexts:
    """The reasons of each prediction, as JSON; mostly there are none at all."""
    if reasons.count(None) == len(reasons):
        return ByteTexts.of([])._replace(ends=np.zeros(len(reasons) + 1, np.int64))
    return ByteTexts.of([b"" if one is None else _REASONS + _encode(one) for one in reasons])


def _common(id_name: str, version: str, now: datetime) -> ByteTexts:
    """See `write`."""
    said = b',"prediction":"%b","event_ts":"'
    return ByteTexts.of(
        [
            b"{" + _encode(id_name) + b':"',
            b'","churn_probability":',
            said % b"No",
            said % b"Yes",
            b'","processed_ts":'
            + _encode(now)
            + b',"model_version":'
            + _encode(version)
            + b',"source_partition":',
            b',"source_offset":',
            b"}",
        ]
    )
