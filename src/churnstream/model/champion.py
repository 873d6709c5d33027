"""The models of a consumer: the one that scores, and the one that shadows it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import structlog

from churnstream.errors import ModelError
from churnstream.model.shadow import Shadow, ShadowBuilder
from churnstream.model.source import ForTopic, source_of
from churnstream.model.watch import ModelWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray

    from churnstream.model.scorer import Model
    from churnstream.schema.record_types import Event
    from churnstream.settings import Settings

log = structlog.get_logger(__name__)


class Scoring(Protocol):
    """What is asked of the model that scored."""

    @property
    def version(self) -> str:
        """Names it."""
        ...

    @property
    def threshold(self) -> float:
        """The probability from which it predicts "Yes"."""
        ...


class Models:
    """Champion and, where the settings name one, challenger; both may be replaced while in use.

    Args:
        on_use: Told of every champion that is taken into use, the first one included.

    Attributes:
        champion: Scores the events.
        challenger: Scores them again, and nothing of it is published.

    Raises:
        ConfigurationError: An address of unknown form, or MLflow is not installed.
        ModelError: One of them cannot be loaded, or the challenger reads other fields.
    """

    def __init__(
        self, settings: Settings, on_use: Callable[[Model], None] = lambda _: None
    ) -> None:
        own = settings.model
        self._on_use = on_use
        self._explained = settings.consumer.reasons
        champion = source_of(own.path, own.trusted_types)
        self.champion = ModelWatch(
            ForTopic(champion, settings.customers.schema_file), own.refresh, on_use=self._note
        )
        self.challenger = (
            ModelWatch(source_of(own.challenger, own.trusted_types), own.refresh, "challenger")
            if own.challenger
            else None
        )
        if self.challenger:
            _check_reads_the_same(self.champion.current(), self.challenger.current())
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

    def shadow(
        self, events: Sequence[Event], probabilities: NDArray[np.float64], champion: Scoring
    ) -> None:
        """Let the challenger score events, too; whatever it does, the champion goes on.

        Args:
            events: n events.
            probabilities: What the champion says of them, (n,).
            champion: The model that said it.
        """
        if self.challenger is None:
            return
        challenger = self.challenger.current()
        try:
            _compare(self._shadow, events, probabilities, champion, challenger)
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
                because="only what train makes has them, and boosted trees with churnstream[trees]",
            )


def _compare(
    shadow: ShadowBuilder,
    events: Sequence[Event],
    probabilities: NDArray[np.float64],
    champion: Scoring,
    challenger: Model,
) -> None:
    known = challenger.knows(events)
    theirs = challenger.score([event for event, fits in zip(events, known, strict=True) if fits])
    is_scored = (theirs >= 0) & (theirs <= 1)
    shadow.add(
        (champion.version, challenger.version),
        (probabilities[known][is_scored], theirs[is_scored]),
        (champion.threshold, challenger.threshold),
        not_scored=len(known) - int(is_scored.sum()),
    )


def _check_reads_the_same(champion: Model, challenger: Model) -> None:
    """Make sure that the champion's events have all that the challenger reads.

    Raises:
        ModelError: They have not.
    """
    known = champion.schema.fields
    for name, field in challenger.schema.fields.items():
        if name not in known or type(known[name]) is not type(field):
            raise ModelError(
                f"the challenger {challenger.version} reads {name}, which the events of the "
                f"champion {champion.version} do not have in that form; train both on one schema"
            )
