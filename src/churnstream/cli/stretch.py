"""Where in the topic the rows of a file lie: the same answer however often they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from churnstream.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from churnstream.streaming.checkpoint import Source
    from churnstream.streaming.kafka.admin import Admin


class Stretch(msgspec.Struct, rename={"start": "from", "end": "to"}):
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


class StretchKeeper:
    """Notes in a file where the rows of a source begin and end.

    Args:
        path: Keeps the stretch of every source.
    """

    def __init__(self, path: Path, source: Source, admin: Admin) -> None:
        self._path, self._source, self._admin = path, source, admin
        self._all = self._read()
        self._begun = False

    def begin(self, rows: int) -> None:
        """Note the beginning, before the first row is sent; only the first call counts.

        Args:
            rows: How many of the source were sent before. If there are some and their beginning is
                not known, it is that of the topic.
        """
        if self._begun:
            return
        self._begun = True
        key, topic = self._source.key, self._source.topic
        if rows == 0:
            self._all[key] = Stretch(_places(self._admin.ends(topic)))
        elif key not in self._all:
            self._all[key] = Stretch(_places(self._admin.beginnings(topic)))
        self._write()

    def finish(self) -> None:
        """Note the end, after the last row was sent; the first time counts."""
        stretch = self._all[self._source.key]
        if stretch.end is None:
            stretch.end = _places(self._admin.settled_ends(self._source.topic))
            self._write()

    def sent(self, rows: int, sent: int) -> Sent:
        """What is known by now."""
        stretch = self._all[self._source.key]
        return Sent(rows=rows, sent=sent, start=stretch.start, end=stretch.end)

    def _read(self) -> dict[str, Stretch]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, Stretch])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise CheckpointError(
                f"{self._path} cannot be read ({error}); repair or remove it"
            ) from error

    def _write(self) -> None:
        """Replace the file in one step."""
        new = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(msgspec.json.encode(self._all))
            new.replace(self._path)
        except OSError as error:
            raise CheckpointError(f"{self._path} cannot be written ({error})") from error


def _places(offsets: Mapping[int, int]) -> str:
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(offsets.items()))
