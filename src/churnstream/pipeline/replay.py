"""Dead letters, looked at and sent back."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec
import structlog

from churnstream.errors import ConfigurationError, RecordRejectedError
from churnstream.kafka.admin import Admin
from churnstream.kafka.client import Message
from churnstream.kafka.scan import Scan
from churnstream.kafka.writer import FullRecord, Record, Writer
from churnstream.pipeline.checkpoint import notes
from churnstream.pipeline.dead_letter_headers import (
    HEADER_NAMES,
    is_whole,
    original_headers,
    parse_dead_letter,
)
from churnstream.records.dead_letter import DeadLetter
from churnstream.settings import Settings

log = structlog.get_logger(__name__)

Position = tuple[int, int]

_OF_ANY_TOPIC = b"replayed"  # what earlier versions noted: it does not say which of its name


class Filter(msgspec.Struct, frozen=True):
    """Which dead letters are meant; what is None or empty does not matter.

    Attributes:
        reasons: Any of these.
        since: Rejected at this time or later.
        until: Rejected before this time.
        offsets: Offsets in the dead-letter topic.
    """

    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    offsets: tuple[int, ...] = ()

    def matches(self, dead_letter: DeadLetter, offset: int) -> bool:
        """Whether this dead letter is meant."""
        return (
            (not self.reasons or dead_letter.reason in self.reasons)
            and (self.since is None or dead_letter.failed_at >= self.since)
            and (self.until is None or dead_letter.failed_at < self.until)
            and (not self.offsets or offset in self.offsets)
        )


def find(
    settings: Settings, admin: Admin, wanted: Filter
) -> Iterator[list[tuple[Message, DeadLetter]]]:
    """The dead letters that are in the topic now and match, in batches."""
    topic = settings.topics.deadletter
    for batch in Scan(
        settings.kafka, topic, admin.earliest_offsets(topic), admin.latest_offsets(topic)
    ):
        found = []
        foreign: list[int] = []
        for record in batch:
            try:
                dead_letter = parse_dead_letter(record)
            except msgspec.ValidationError:  # whose text may quote the record
                foreign.append(_position(record)[1])
                continue
            if wanted.matches(dead_letter, _position(record)[1]):
                found.append((record, dead_letter))
        if foreign:
            log.warning("foreign_dead_letter", count=len(foreign), first_offset=foreign[0])
        yield found


class Replayed(NamedTuple):
    """What a replay did, or would do.

    Attributes:
        sent: Dead letters sent back.
        partial: Dead letters left alone, since a part of their record was too large to be kept.
        rejected: Dead letters left alone, since the topic takes no such record (any more): it is
            too large or too old for it.
        foreign: Dead letters left alone, since they are of another input topic.
    """

    sent: int
    partial: int
    rejected: int
    foreign: int


class Replay:
    """Sends dead letters back to where they came from, each one once.

    Which ones were sent back is remembered one by one, in the compacted checkpoint topic, in the
    same transaction as the records. A single offset could not say it: a replay of one reason
    passes over records that a later replay of another reason must still find. A note holds for the
    dead-letter topic that it names: one of the same name that is created later begins anew.
    """

    def __init__(self, settings: Settings, admin: Admin) -> None:
        if settings.topics.deadletter == settings.topics.input:
            raise ConfigurationError("the dead-letter topic must not be the input topic")
        self._settings, self._admin = settings, admin
        self._transactional = not admin.embedded
        self._topic_id = admin.topic_id(settings.topics.deadletter).encode()
        identity = f"churnstream.replay.{settings.topics.deadletter}"
        self._writer = Writer(
            settings.kafka,
            identity if self._transactional else None,
            max_bytes=admin.max_record_bytes(settings.topics.input),
        )

    def run(self, wanted: Filter, *, dry_run: bool = False) -> Replayed:
        """Send back what matches and was not sent back before."""
        if self._transactional and not dry_run:
            self._writer.init_transactions()
        done, topic = self._replayed(), self._settings.topics.input
        sent = partial = rejected = foreign = 0
        for found in find(self._settings, self._admin, wanted):
            fresh = [(r, dead_letter) for r, dead_letter in found if _position(r) not in done]
            # A header may name any topic, and whoever forged it must not write there through us.
            own = [(r, dead_letter) for r, dead_letter in fresh if dead_letter.topic == topic]
            whole = [(r, dead_letter) for r, dead_letter in own if is_whole(r)]
            left = self._send_what_is_taken(whole) if whole and not dry_run else 0
            sent += len(whole) - left
            rejected += left
            partial += len(own) - len(whole)
            foreign += len(fresh) - len(own)
        return Replayed(sent, partial, rejected, foreign)

    def _send_what_is_taken(self, dead_letters: list[tuple[Message, DeadLetter]]) -> int:
        """Send them all, but for those that their topic rejects; how many those are.

        The broker rejects records together and does not say which of them is at fault, so they are
        halved until it stands alone. Without transactions the others may be sent twice meanwhile.
        """
        try:
            self._send(dead_letters)
        except RecordRejectedError as error:
            if self._transactional:
                self._writer.abort()
            if len(dead_letters) == 1:
                offset = _position(dead_letters[0][0])[1]
                log.warning("dead_letter_not_replayed", offset=offset, error=str(error))
                return 1
            half = len(dead_letters) // 2
            return self._send_what_is_taken(dead_letters[:half]) + self._send_what_is_taken(
                dead_letters[half:]
            )
        return 0

    def _send(self, dead_letters: list[tuple[Message, DeadLetter]]) -> None:
        if self._transactional:
            self._writer.begin()
        for record, dead_letter in dead_letters:
            self._writer.send_full(self._settings.topics.input, _as_it_was(record, dead_letter))
        if not self._transactional:
            self._writer.flush()  # a crash from here on repeats them, and loses none
        self._writer.send(
            self._settings.topics.checkpoint, [self._note(r) for r, _ in dead_letters]
        )
        if self._transactional:
            self._writer.commit()
        else:
            self._writer.flush()

    def _note(self, record: Message) -> Record:
        partition, offset = _position(record)
        return {"key": f"{self._prefix}{partition}:{offset}".encode(), "value": self._topic_id}

    @property
    def _prefix(self) -> str:
        return f"replay:{self._settings.topics.deadletter}:"

    def _replayed(self) -> set[Position]:
        """The dead letters that were sent back before."""
        topic = self._settings.topics.checkpoint
        note = re.compile(re.escape(self._prefix.encode()) + rb"(\d{1,10}):(\d{1,19})")
        own = (self._topic_id, _OF_ANY_TOPIC)
        records = notes(self._settings.kafka, self._admin, topic)
        found = (note.fullmatch(r.key() or b"") for r in records if r.value() in own)
        return {(int(one[1]), int(one[2])) for one in found if one}


def _position(record: Message) -> Position:
    return record.partition() or 0, record.offset() or 0


def _as_it_was(record: Message, dead_letter: DeadLetter) -> FullRecord:
    """The original record, with the number of rejections as its only new header."""
    attempts = (HEADER_NAMES["attempt"], str(dead_letter.attempt).encode())
    # Earlier versions stamped a dead letter like its record.
    own = dead_letter.timestamp
    timestamp = record.timestamp()[1] if own is msgspec.UNSET else own
    return {
        "key": record.key(),
        "value": record.value(),
        "headers": [*(original_headers(record) or []), attempts],
        "timestamp": timestamp,
    }
