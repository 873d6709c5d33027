"""Where in the topic the rows of a file lie: the same answer however often they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from churnstream.pipeline.position_file import PositionFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from churnstream.kafka.admin import Admin
    from churnstream.pipeline.checkpoint import CheckpointKey


class SentRange(msgspec.Struct, frozen=True, rename={"start": "from", "end": "to"}):
    """Offsets as `--from` and `--to` take them, `PARTITION:OFFSET,…`.

    Events of others may lie in between; the rows of the file all do, once `end` is known.
    """

    start: str
    end: str | None = None


class Sent(msgspec.Struct, rename={"start": "from", "end": "to"}, kw_only=True):
    """The answer of `produce --mode batch --json`.

    Attributes:
        rows: Of the file, sent by this run or an earlier one.
        sent: By this run.
        end: None if the run was stopped before the end of the file.
    """

    rows: int
    sent: int
    start: str
    end: str | None


class SentRangeKeeper:
    """Notes in a file where the rows of a source begin and end.

    Args:
        path: Keeps the range of every source.
    """

    def __init__(self, path: Path, source: CheckpointKey, admin: Admin) -> None:
        self._file, self._source, self._admin = PositionFile(path, SentRange), source, admin
        self._file.get(source.key)  # should it be damaged: before the work
        self._known: SentRange | None = None

    def begin(self, rows: int) -> None:
        """Note the first offsets, before the first row is sent; only the first call counts.

        Args:
            rows: How many of the source were sent before. If there are some and their first offset
                is not known, it is that of the topic.
        """
        if self._known is None:
            find = self._admin.earliest_offsets if rows else self._admin.latest_offsets
            new = SentRange(_positions(find(self._source.topic)))
            self._keep(lambda known: known if known and rows else new)

    def finish(self) -> None:
        """Note the end, after the last row was sent; the first time counts."""
        if self._begun.end is None:
            end = _positions(self._admin.latest_settled_offsets(self._source.topic))
            whole = SentRange(self._begun.start, end)
            self._keep(lambda known: known if known and known.end else whole)

    def sent(self, rows: int, sent: int) -> Sent:
        """What is known by now."""
        return Sent(rows=rows, sent=sent, start=self._begun.start, end=self._begun.end)

    @property
    def _begun(self) -> SentRange:
        if self._known is None:
            raise ValueError("begin() comes first")
        return self._known

    def _keep(self, change: Callable[[SentRange | None], SentRange]) -> None:
        self._known = self._file.change(self._source.key, change)


def _positions(offsets: Mapping[int, int]) -> str:
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(offsets.items()))
