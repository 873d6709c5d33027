"""A consumer inside a service of one's own; it is what `churnstream consume` runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from churnstream.kafka.admin import Admin
from churnstream.model.champion import Models
from churnstream.pipeline.connect import connect
from churnstream.pipeline.consumer_notices import Committed, Notice
from churnstream.pipeline.notify.notifier_thread import notifying
from churnstream.pipeline.offset_window import OffsetWindow
from churnstream.pipeline.scoring import Batch
from churnstream.pipeline.stop_signal import StopSignal
from churnstream.settings import named_after
from churnstream.settings_sources import load


class ScoredCustomer(NamedTuple):
    """What was published of a customer.

    Attributes:
        id: Of the customer.
        churn_probability: From 0 to 1.
        leaves: Whether it reaches the model's threshold.
        partition: Where the event is.
        offset: Where the event is.
    """

    id: str
    churn_probability: float
    leaves: bool
    partition: int
    offset: int


class StreamScorer:
    """Scores events until it is asked to stop.

    Args:
        on_scored: Called on the thread of `run` with the customers of every batch, after it is
            committed: whatever it does, events are scored and published exactly once. A process
            that dies in between has not called it for that batch. An error in it ends `run`.
        config: A configuration file; without one `config.yaml` here, if there is one.
        sections: Settings by section and name, as in that file; these win. Topics and group that
            nobody names have the names that `churnstream consume` gives them for the model's
            schema.

    Raises:
        ConfigurationError: A setting is unknown or out of range.
    """

    def __init__(
        self,
        on_scored: Callable[[Sequence[ScoredCustomer]], None] = lambda _: None,
        *,
        config: str | Path | None = None,
        **sections: dict[str, Any],
    ) -> None:
        self._settings = load(Path(config) if config else None, sections)
        self._on_scored = on_scored
        self._stop = StopSignal()

    def run(self) -> None:
        """Score; returns after `stop`, with everything committed. Once for each object.

        Raises:
            ChurnstreamError: The model, a topic or the broker cannot be used; says what to do.
        """
        admin = Admin(self._settings.kafka, self._stop.requested)
        with Models(self._settings) as models:
            schema = models.champion.current().schema
            settings = named_after(self._settings, schema.name)
            with notifying(settings, schema, self._stop):
                consumer = connect(
                    settings,
                    admin,
                    models.champion,
                    window=OffsetWindow(),
                    starts={},
                    stop=self._stop,
                    listener=self._listen,
                )
                consumer.run(self._stop)

    def stop(self) -> None:
        """Ask `run` to end after the batch in hand, from any thread."""
        self._stop.request()

    def _listen(self, notice: Notice) -> None:
        if isinstance(notice, Committed) and notice.batch.events:
            self._on_scored(_scored(notice.batch))


def _scored(batch: Batch) -> list[ScoredCustomer]:
    id_of, threshold = batch.scorer.schema.getter(batch.scorer.schema.id), batch.scorer.threshold
    columns = zip(
        map(id_of, batch.events),
        batch.probabilities.tolist(),
        batch.partitions,
        batch.offsets,
        strict=True,
    )
    return [ScoredCustomer(i, p, p >= threshold, where, at) for i, p, where, at in columns]
