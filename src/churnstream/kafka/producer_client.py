"""The client library's producer with its settings; it can be replaced by a new one."""

from collections.abc import Callable

from confluent_kafka import Producer

from churnstream.connection_settings import KafkaSettings
from churnstream.errors import BrokerError
from churnstream.kafka.client import Connection, KafkaError, Message, client_config, translated
from churnstream.kafka.lost_client import LostClientDetector

# Above what one batch needs, and far below the client's default of 1 GB.
_BUFFER_KB = 64 * 1024
# A record that a broker took can be sent on with failure headers added to it.
MAX_BYTES = 2 * 1024 * 1024
_BATCH_BYTES = 1_000_000  # the client's default


class ProducerClient:
    """An idempotent producer, transactional if it has an identity.

    Args:
        transactional_id: Stable per instance; None for no transactions.
        max_bytes: What each of its topics takes.
        give_up: Asked while waiting for the broker; True ends the wait.
        connection: Shared by the clients of a process, so that an outage is reported once.

    Attributes:
        producer: The client library's own.
        failure: The first record that could not be delivered since it was last cleared.
        needs: The rights that it takes, for error messages.
        topic: Where records were last sent to.
        transaction_timeout: Seconds after which the broker ends a transaction; 0 for none.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        transactional_id: str | None,
        *,
        max_bytes: int,
        give_up: Callable[[], bool],
        connection: Connection,
    ) -> None:
        self.failure: KafkaError | None = None
        self.needs = [f"write transactional id {transactional_id}"]
        self.topic: str | None = None
        self.connection, self._give_up = connection, give_up
        self._settings = settings
        own = _properties(transactional_id, max_bytes) | {"on_delivery": self._on_failure}
        self._config = client_config(settings, own, connection)
        self.transaction_timeout = float(self._config.get("transaction.timeout.ms", 0)) / 1000
        if transactional_id is not None and "socket.timeout.ms" not in settings.client:
            # The client wants it at least 100 ms shorter than a transaction may last.
            longest = round(self.transaction_timeout * 1000) - 100
            self._config["socket.timeout.ms"] = min(self._config["socket.timeout.ms"], longest)
        self.producer = self._start()

    def _start(self) -> Producer:
        with translated("starting the producer"):
            return Producer(self._config)

    def replace(self) -> None:
        """Go on with another client, as if the process had been started anew."""
        self.producer = self._start()

    def detector(self) -> LostClientDetector:
        """Finds out whether the client has lost its brokers, from some silence after now on."""
        return LostClientDetector(self._settings, self.topic, give_up=self._give_up)

    def _on_failure(self, error: KafkaError, _: Message) -> None:
        self.failure = self.failure or error

    def poll(self, seconds: float = 0.0) -> None:
        """Serve the library's callbacks.

        Raises:
            BrokerError: It is beyond repair, as when it is fenced: the library says so here, in
                place of a callback.
        """
        with translated("sending records", self.needs):
            self.producer.poll(seconds)

    def raise_if_given_up(self, doing: str) -> None:
        """End a wait that the process has no time for.

        Raises:
            BrokerError: It was asked to stop a while ago.
        """
        if self._give_up():
            raise BrokerError(f"{doing}: given up, since the process was asked to stop")


def _properties(transactional_id: str | None, max_bytes: int) -> dict[str, object]:
    own: dict[str, object] = {
        "enable.idempotence": True,
        # Java's partitioner: a key lands where every other Kafka client puts it.
        "partitioner": "murmur2_random",
        "linger.ms": 5,
        "queue.buffering.max.kbytes": _BUFFER_KB,
        "message.max.bytes": MAX_BYTES,
        "batch.size": min(_BATCH_BYTES, max_bytes),
        # Success is the rule and needs no callback.
        "delivery.report.only.error": True,
        # The broker ends a transaction behind our back, and for some milliseconds rejects the
        # next one; at the default of 100 ms that would be most of a small batch's time.
        "retry.backoff.ms": 10,
        # A record that waits for ever asks nothing, so that its connection may be dead for as
        # long: this question has a timeout.
        "topic.metadata.refresh.interval.ms": 3_000,
    }
    if transactional_id is None:
        # Wait for a broker as long as it takes: a record is never dropped for its age.
        return own | {"message.timeout.ms": 0}
    # What a process that died left open holds back its partitions' readers for so long.
    return own | {"transactional.id": transactional_id, "transaction.timeout.ms": 10_000}
