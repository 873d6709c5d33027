"""The models of a consumer: the one that scores, and the one that shadows it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import structlog

from churnstream.analysis.shadow import Shadow, ShadowBuilder
from churnstream.model.source import source_of
from churnstream.model.watch import ModelWatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from churnstream.model.scorer import Model
    from churnstream.pipeline.scoring import Batch
    from churnstream.settings import Settings

log = structlog.get_logger(__name__)


class Models:
    """Champion and, where the settings name one, challenger; both may be replaced while in use.

    Args:
        on_use: Told of every champion that is taken into use, the first one included.

    Attributes:
        champion: Scores the events.
        challenger: Scores them again, and nothing of it is published.

    Raises:
        ConfigurationError: An address of unknown form, or MLflow is not installed.
        ModelError: One of them cannot be loaded.
    """

    def __init__(
        self, settings: Settings, on_use: Callable[[Model], None] = lambda _: None
    ) -> None:
        own = settings.model
        self._on_use = on_use
        self._explained = settings.consumer.reasons
        self.champion = ModelWatch(
            source_of(own.path, own.trusted_types), own.refresh, on_use=self._note
        )
        self.challenger = (
            ModelWatch(source_of(own.challenger, own.trusted_types), own.refresh, "challenger")
            if own.challenger
            else None
        )
        self._shadow = ShadowBuilder()
        self._watching = ExitStack()

    def __enter__(self) -> Self:
        self._watching.enter_context(self.champion)
        if self.challenger:
            self._watching.enter_context(self.challenger)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watching.close()

    def shadow(self, batch: Batch) -> None:
        """Let the challenger score a batch, too; whatever it does, the champion goes on."""
        if self.challenger is None:
            return
        challenger = self.challenger.current()
        try:
            _compare(self._shadow, batch, challenger)
        except Exception as error:  # a pipeline can fail in as many ways as there are estimators
            kind = type(error).__name__  # its text may quote a customer
            log.warning("challenger_failed", version=challenger.version, error=kind)

    def comparison(self) -> list[Shadow]:
        """What the challenger would have said so far."""
        return self._shadow.build()

    def _note(self, model: Model) -> None:
        self._on_use(model)
        if self._explained != "none" and model.explainer is None:
            log.warning(
                "no_reasons",
                model=model.version,
                because="only sums of terms and, with churnstream[trees], boosted trees have them",
            )


def _compare(shadow: ShadowBuilder, batch: Batch, challenger: Model) -> None:
    known = challenger.knows(batch.events)
    events = [event for event, is_known in zip(batch.events, known, strict=True) if is_known]
    probabilities = challenger.score(events)
    is_scored = (probabilities >= 0) & (probabilities <= 1)
    champion = batch.scorer
    shadow.add(
        (champion.version, challenger.version),
        (batch.probabilities[known][is_scored], probabilities[is_scored]),
        (champion.threshold, challenger.threshold),
        not_scored=len(known) - int(is_scored.sum()),
    )
