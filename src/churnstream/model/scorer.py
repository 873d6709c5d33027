"""A loaded model: which events it can score, their probabilities of churn, and the reasons."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import numpy.typing as npt

from churnstream.codecs.event_decoder import EventDecoder
from churnstream.codecs.scan.scanned_events import ScannedEvents
from churnstream.errors import ModelError
from churnstream.model import features
from churnstream.model.event_scorer import EventScorer, event_scorer
from churnstream.model.formula import Formula
from churnstream.model.reasons import Explained, Explainer
from churnstream.model.term_scorer import probabilities
from churnstream.model.threads import one_blas_thread
from churnstream.records.prediction import ReasonGiven
from churnstream.schema.event_source import EventSource
from churnstream.schema.fields import Category
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from sklearn.pipeline import Pipeline

    from churnstream.model.adopted_tree_reasons import TreeExplainer
    from churnstream.model.manifest import Manifest


@dataclass(frozen=True)
class Model:
    """Scores events; never changes.

    Args:
        formula: What it computes by; None for a pipeline of somebody's own.
        read_pipeline: Called once, by the first who needs that pipeline.
    """

    manifest: "Manifest"
    formula: Formula | None
    read_pipeline: "Callable[[], Pipeline] | None" = None

    def __reduce__(self) -> tuple[object, ...]:
        # To another process it travels without what is made when it is first asked for.
        return Model, (self.manifest, self.formula, self.read_pipeline)

    @cached_property
    def pipeline(self) -> "Pipeline":
        """A fitted classifier that takes `features.frame`; column 1 of its answer is churn.

        Raises:
            ModelError: It computes by a formula, and has none.
        """
        if self.read_pipeline is None:
            raise ModelError(f"model {self.version} computes by a formula and is no pipeline")
        return self.read_pipeline()

    def reading(self, source: EventSource | None) -> "Model":
        """The same for events of another form."""
        if source == self.schema.source:
            return self
        schema = msgspec.structs.replace(self.schema, source=source)
        return replace(self, manifest=msgspec.structs.replace(self.manifest, schema=schema))

    @property
    def version(self) -> str:
        """Names this very model; newer versions sort after older ones."""
        return self.manifest.version

    @property
    def threshold(self) -> float:
        """The probability at which a customer is called a churner."""
        return self.manifest.threshold

    @cached_property
    def decode(self) -> EventDecoder:
        """Turns records into events that this model can score, and refuses the others."""
        return EventDecoder(self.schema, scans=self.formula is not None)

    @property
    def schema(self) -> Schema:
        """Of the events that it scores."""
        return self.manifest.schema

    @cached_property
    def _scorer(self) -> EventScorer | None:
        return event_scorer(self.schema, self.formula) if self.formula else None

    @cached_property
    def explainer(self) -> "Explainer | TreeExplainer | None":
        """Knows the effect of every feature; None where exact effects are not to be had.

        A formula has them, and so has a pipeline of boosted trees if shap is installed.
        """
        if self._scorer:
            return Explainer(self._scorer)
        from churnstream.model.adopted_tree_reasons import tree_explainer

        return tree_explainer(self.pipeline, self.schema)

    def knows(self, events: Sequence[Event]) -> npt.NDArray[np.bool_]:
        """Which events this model can score, (n,): `decode` of another model may let more pass."""
        fits = np.ones(len(events), dtype=np.bool_)
        for name, field in self.schema.fields.items():
            if isinstance(field, Category) and field.values and field.unknown == "reject":
                known = {*field.values, *([None] if field.may_be_missing else [])}
                fits &= [value in known for value in map(self.schema.getter(name), events)]
        return fits

    def score(self, events: Sequence[Event]) -> npt.NDArray[np.float64]:
        """Probabilities of churn, (n,), in the order of the events.

        An event's probability does not depend on the others in the batch (to 1e-12). A formula
        is looked up; a pipeline is asked, which takes ten times as long.

        What is no number from 0 to 1 is no probability: the model cannot score that event.

        Args:
            events: From `decode`, so that every category is known.
        """
        if not len(events):
            return np.empty(0)
        if self._scorer is None:
            return self._each(events)
        if isinstance(events, ScannedEvents) and events.columns.fields == self.schema.fields:
            return probabilities(_log_odds(self._scorer, events))
        return probabilities(self._scorer.log_odds(events))

    def count(
        self, events: Sequence[Event], probabilities: npt.NDArray[np.float64]
    ) -> dict[str, Counter[str]]:
        """Sort events into the bins of the training customers, by field and for the score.

        Args:
            events: n events.
            probabilities: What was predicted for them, (n,).
        """
        return self.manifest.background.count(self.schema, events, probabilities)

    def _each(self, events: Sequence[Event]) -> npt.NDArray[np.float64]:
        """The answers of the pipeline, NaN where it stumbles; one event takes no other along."""
        try:
            return self.ask(events)
        except ValueError:  # what scikit-learn says to numbers that have overflowed on their way
            if len(events) == 1:
                return np.array([np.nan])
            middle = len(events) // 2
            return np.concatenate([self._each(events[:middle]), self._each(events[middle:])])

    def ask(self, events: Sequence[Event]) -> npt.NDArray[np.float64]:
        """What the pipeline answers."""
        rows = features.frame(self.schema, events)
        with one_blas_thread():
            probabilities: npt.NDArray[np.float64] = self.pipeline.predict_proba(rows)
        return probabilities[:, 1]

    def reasons(
        self,
        events: Sequence[Event],
        probabilities: npt.NDArray[np.float64],
        explained: Explained,
    ) -> list[list[ReasonGiven] | None]:
        """Why the events got their probabilities, in the order of the events.

        None where reasons are not wanted, and everywhere where there is no `explainer`: none are
        made up.

        Args:
            probabilities: From `score`, (n,).
            explained: Which events get reasons.
        """
        if self.explainer is None:
            return [None] * len(events)
        return self.explainer.reasons(events, probabilities >= self.threshold, explained)


def _log_odds(scorer: EventScorer, events: ScannedEvents) -> npt.NDArray[np.float64]:
    """Those of scanned events from their columns, of the others one by one."""
    found = np.empty(len(events))
    found[events.scanned] = scorer.log_odds_of(events.columns)
    if events.decoded:
        found[list(events.decoded)] = scorer.log_odds(list(events.decoded.values()))
    return found
