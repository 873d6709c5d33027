"""What a member of a group hands over while partitions come and go, over a client that is told."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from confluent_kafka import Message
from structlog.testing import capture_logs

from builders import message
from churnstream.connection_settings import KafkaSettings
from churnstream.errors import AbortableError, BrokerError, RightMissingError
from churnstream.kafka import group_membership, offset_commit
from churnstream.kafka import reader as module
from churnstream.kafka.client import KafkaError, KafkaException, TopicPartition
from churnstream.kafka.polled_records import PolledRecords
from churnstream.kafka.reader import Reader
from fakes import reader_of

TOPIC = "telco.raw.customers"


class Client:
    """Stands in for the library's consumer: each poll first does something, then has records.

    Attributes:
        places: What it answers about the group's offset, one after the other; or raises.
        moved: Every offset that reading was moved to.
        commits: What happens in a commit.
    """

    def __init__(self, _: dict[str, Any]) -> None:
        self.polls: list[tuple[Callable[[], None], list[Message]]] = []
        self.places: list[TopicPartition | KafkaError] = []
        self.moved: list[TopicPartition] = []
        self.commits: Callable[[], object] = lambda: None
        self._rest: list[Message] = []

    def subscribe(
        self,
        _: Sequence[str],
        on_assign: Callable[..., None],
        on_revoke: Callable[..., None],
        on_lost: Callable[..., None],
    ) -> None:
        """Take note of whom to call."""
        self._on_assign, self._on_revoke = on_assign, on_revoke

    def give(self, *partitions: int) -> None:
        """Assign partitions."""
        self._on_assign(self, [TopicPartition(TOPIC, p) for p in partitions])

    def take(self, *partitions: int) -> None:
        """Revoke partitions."""
        self._on_revoke(self, [TopicPartition(TOPIC, p) for p in partitions])

    def poll(self, _: float) -> Message | None:
        """The first record of the next poll."""
        happens, records = self.polls.pop(0)
        happens()
        self._rest = records[1:]
        return records[0] if records else None

    def consume(self, _: int, timeout: float) -> list[Message]:
        """The other ones."""
        return self._rest

    def committed(self, _: Sequence[TopicPartition], timeout: float) -> list[TopicPartition]:
        """The next answer."""
        answer = self.places.pop(0)
        if isinstance(answer, KafkaError):
            raise KafkaException(answer)
        return [answer]

    def commit(self, offsets: Sequence[TopicPartition], asynchronous: bool) -> None:
        """Does what the test says."""
        self.commits()

    def incremental_assign(self, places: Sequence[TopicPartition]) -> None:
        """Where to read from."""
        self.moved += places

    def incremental_unassign(self, _: Sequence[TopicPartition]) -> None:
        """Nothing to see."""


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    """One that has partitions 0 and 1."""
    monkeypatch.setattr(group_membership, "Consumer", Client)
    made = reader_of(KafkaSettings(), TOPIC, "group")
    client_of(made).give(0, 1)
    return made


def client_of(reader: Reader) -> Client:
    """The client under it."""
    client: Client = vars(reader.membership)["client"]
    return client


def poll(
    reader: Reader, *places: tuple[int, int], happens: Callable[[], None] = lambda: None
) -> PolledRecords:
    """Poll, where the client has records at these partitions and offsets."""
    records = [message(b"", partition=p, offset=o) for p, o in places]
    client_of(reader).polls.append((happens, records))
    return reader.poll(100, 0)


def read(polled: PolledRecords) -> list[tuple[int, int]]:
    """Partitions and offsets of what was handed over."""
    return list(zip(polled.partitions, polled.offsets, strict=True))


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (KafkaError._FATAL, BrokerError, "failed"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, RightMissingError, "no right to read group group"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, RightMissingError, f"read topic {TOPIC}"),
    ],
)
def test_an_error_after_which_nothing_comes_ends_the_work(
    reader: Reader, code: int, kind: type[Exception], says: str
) -> None:
    """The client would be silent from then on, and the consumer wait for ever."""
    failed = Message(topic=TOPIC, partition=0, error=KafkaError(code))
    client_of(reader).polls.append((lambda: None, [failed]))

    with pytest.raises(kind, match=says):
        reader.poll(100, 0)


def test_what_is_kept_goes_on_while_another_partition_goes(reader: Reader) -> None:
    """Records of the lost one may belong to its next owner by now; the others are ours still."""
    told: list[set[int]] = []
    reader.membership.before_loss = lambda _: told.append(set(reader.membership.assigned))

    found = poll(reader, (0, 5), (1, 8), (0, 6), happens=lambda: client_of(reader).take(1))

    assert read(found) == [(0, 5), (0, 6)]
    assert (found.next_offsets, found.again) == ({0: 7}, frozenset())
    assert (reader.membership.assigned, told) == ({0}, [{0, 1}])


def test_a_partition_that_went_and_came_back_is_read_again(reader: Reader) -> None:
    """Nobody knows whether its records are from before or after."""

    def go_and_come() -> None:
        client_of(reader).take(1)
        client_of(reader).give(1)

    found = poll(reader, (0, 5), (1, 8), happens=go_and_come)

    assert (read(found), found.again) == ([(0, 5)], frozenset({1}))


def test_records_that_come_twice_are_handed_over_once(reader: Reader) -> None:
    """The client may go back by a poll when its partitions are paused for a rebalance."""
    poll(reader, (0, 5), (0, 6), (1, 3))

    assert read(poll(reader, (0, 5), (0, 6), (0, 7), (1, 4))) == [(0, 7), (1, 4)]


def test_what_is_assigned_anew_may_begin_further_back(reader: Reader) -> None:
    """Its place is the group's then, not ours."""
    poll(reader, (1, 8))
    client_of(reader).take(1)
    client_of(reader).give(1)

    assert read(poll(reader, (1, 4))) == [(1, 4)]


def test_going_back_waits_for_a_coordinator(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coordinator that moves is no fault; the wait is reported once, and reading goes back."""
    monkeypatch.setattr(module, "_PAUSE", 0)
    poll(reader, (1, 8))
    moves = [KafkaError(KafkaError.NOT_COORDINATOR), KafkaError(KafkaError._TIMED_OUT)]
    client_of(reader).places = [*moves, TopicPartition(TOPIC, 1, 4)]

    with capture_logs() as logs:
        assert reader.rewind([1, 2]) == {1: 4}

    assert [line["event"] for line in logs] == ["offsets_unknown"]
    assert client_of(reader).moved[-1].offset == 4
    assert read(poll(reader, (1, 4))) == [(1, 4)]


def test_an_offset_with_an_error_is_not_the_beginning(reader: Reader) -> None:
    """To start over there would score everything again."""

    class Rejected(TopicPartition):
        error = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)

    client_of(reader).places = [Rejected(TOPIC, 1)]

    with pytest.raises(BrokerError, match="authorization"):
        reader.rewind([1])


@pytest.fixture
def lost(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The client of the reader, once it has lost its brokers; each other client is well."""
    client = client_of(reader)
    monkeypatch.setattr(reader._detector, "is_lost", lambda asked: asked is client)
    monkeypatch.setattr(module, "_PAUSE", 0.01)
    return client


def test_a_silent_client_that_is_lost_is_replaced(reader: Reader, lost: Client) -> None:
    """Its partitions are gone before it is, and the new one is given some in its turn."""
    told: list[set[int]] = []
    reader.membership.before_loss = lambda _: told.append(set(reader.membership.assigned))

    assert read(poll(reader)) == []
    assert (reader.membership.assigned, told) == (set(), [{0, 1}])
    assert client_of(reader) is not lost
    client_of(reader).give(1)
    assert read(poll(reader, (1, 4))) == [(1, 4)]


def test_a_client_that_is_heard_is_kept(reader: Reader, lost: Client) -> None:
    """What it brings proves that it has a broker."""
    poll(reader, (1, 4))

    assert client_of(reader) is lost


def test_going_back_ends_with_the_client(reader: Reader, lost: Client) -> None:
    """Where reading goes on the group will tell the next one."""
    lost.places = [KafkaError(KafkaError._TIMED_OUT)]

    assert reader.rewind() == {}
    assert client_of(reader) is not lost


def test_a_commit_that_hangs_fails(
    reader: Reader, lost: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing more can be asked through its client, and the batch comes again through another."""
    monkeypatch.setattr(reader, "_session_s", 0.2)
    monkeypatch.setattr(reader._detector, "is_lost", lambda asked: asked is None)
    let_go = threading.Event()
    lost.commits = lambda: let_go.wait(10)
    try:
        with pytest.raises(AbortableError, match="lost its brokers"):
            reader.commit({1: 5})
        assert reader.rewind() == {}
    finally:
        let_go.set()
    assert client_of(reader) is not lost


def test_a_commit_that_is_only_slow_keeps_its_client(
    reader: Reader, lost: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the group would still count this member, no second one joins for it."""
    lost.commits = lambda: threading.Event().wait(0.5)
    monkeypatch.setattr(reader._detector, "is_lost", lambda asked: asked is None)

    reader.commit({1: 5})

    assert client_of(reader) is lost


def test_an_offset_that_is_not_ours_is_left_alone(reader: Reader) -> None:
    """Its new owner may be further by now."""
    poll(reader, happens=lambda: client_of(reader).take(1))

    with pytest.raises(AbortableError, match=r"\[1\] are no longer ours"):
        reader.commit({0: 5, 1: 5})
    reader.commit({0: 5})


def test_a_commit_is_repeated_while_the_group_rebalances(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is ours stays ours until we give it up; only the number of the membership is new."""
    monkeypatch.setattr(offset_commit, "_PAUSE", 0.01)
    rejections = [KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION]

    def reject() -> None:
        if rejections:
            raise KafkaException(KafkaError(rejections.pop(0)))

    client_of(reader).commits = reject
    reader.commit({1: 5})

    assert rejections == []


def test_a_commit_without_a_coordinator_is_repeated_with_its_batch(reader: Reader) -> None:
    """A broker that comes back is not ready at once; that ends nobody."""

    def wait_for_coordinator() -> None:
        raise KafkaException(KafkaError(KafkaError._WAIT_COORD))

    client_of(reader).commits = wait_for_coordinator

    with pytest.raises(AbortableError):
        reader.commit({1: 5})


def test_a_batch_that_failed_begins_at_the_start_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the group has no offset yet, what comes before the start is never read."""
    monkeypatch.setattr(group_membership, "Consumer", Client)
    reader = reader_of(KafkaSettings(), TOPIC, "group", starts={1: 50})
    client_of(reader).give(1)
    error = KafkaError(KafkaError._AUTO_OFFSET_RESET, "No offset stored")
    no_place = Message(topic=TOPIC, partition=1, error=error)
    client_of(reader).polls.append((lambda: None, [no_place]))
    reader.poll(100, 0)
    client_of(reader).places = [TopicPartition(TOPIC, 1, -1001)]

    assert reader.rewind() == {1: 50}
    assert client_of(reader).moved[-1].offset == 50


def test_a_new_owner_without_an_offset_begins_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if that is ourselves, once more."""
    monkeypatch.setattr(group_membership, "Consumer", Client)
    reader = reader_of(KafkaSettings(), TOPIC, "group", starts={1: 50})
    error = KafkaError(KafkaError._AUTO_OFFSET_RESET, "No offset stored")
    client = client_of(reader)
    for _ in range(2):
        client.give(1)
        client.polls.append((lambda: None, [Message(topic=TOPIC, partition=1, error=error)]))
        reader.poll(100, 0)
        client.take(1)

    assert [place.offset for place in client.moved if place.offset >= 0] == [50, 50]
