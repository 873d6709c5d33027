"""Records that wait for the schema that they were written with."""

from itertools import chain

from churnstream.codecs.registry_framing import HEADER, schema_id_of
from churnstream.codecs.registry_values import RegistryValues
from churnstream.deadline import Deadline
from churnstream.errors import SchemasUnavailableError
from churnstream.kafka.client import Message
from churnstream.kafka.polled_records import PolledRecords

_ASK_AGAIN = 1.0  # seconds


class SchemaWait:
    """Sorts out records whose schema is not known yet while the registry is away.

    A record is not at fault for that, so it is no dead letter. Those behind it in its partition
    wait, too; other partitions go on.

    Args:
        values: Opens the records; None where they need no registry.
    """

    def __init__(self, values: RegistryValues | None) -> None:
        self._values = values
        self._next = Deadline(0)

    def ready(self, polled: PolledRecords) -> tuple[PolledRecords, dict[int, int]]:
        """What can be decoded now, and by partition the offset from which the others wait."""
        if self._values is None or not (missing := self._missing(polled.records, self._values)):
            return polled, {}
        waiting: dict[int, int] = {}
        kept = []
        rows = zip(polled.records, polled.partitions, polled.offsets, strict=True)
        for record, partition, offset in rows:
            if partition not in waiting and not missing.isdisjoint(_ids_of(record)):
                waiting[partition] = offset
            if partition not in waiting:
                kept.append(record)
        ends = {p: end for p, end in polled.end_offsets.items() if p not in waiting}
        return PolledRecords.of(kept, ends)._replace(again=polled.again), waiting

    def _missing(self, records: list[Message], values: RegistryValues) -> set[int]:
        """The schemas of records that cannot be told now."""
        parts = chain(map(Message.value, records), map(Message.key, records))
        heads = {part[:HEADER] for part in parts if part}
        unknown = values.unknown(heads)
        if unknown and not self._next.passed:
            return unknown
        for schema_id in [*unknown]:
            try:
                values.learn(schema_id)
            except SchemasUnavailableError:
                self._next = Deadline(_ASK_AGAIN)
                break
            unknown.remove(schema_id)
        return unknown


def _ids_of(record: Message) -> set[int | None]:
    return {schema_id_of(record.value()), schema_id_of(record.key())}
