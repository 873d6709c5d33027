"""Whether a new model may take the champion's place: both score customers that it has not seen."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from churnstream.errors import ModelError, RegistryError
from churnstream.model.quality import evaluate
from churnstream.model.scorer import Model
from churnstream.schema.label_and_value import label_reader
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema

MARGIN = 0.002  # of the log loss, in nats: what another split of the same customers may cost


class PromotionVerdict(NamedTuple):
    """Whether the new model is not worse, and why; the reason is part of a sentence."""

    better: bool
    reason: str


def compare_with_champion(
    log_loss: float, schema: Schema, held_out: Sequence[Event], champion: Callable[[], Model]
) -> PromotionVerdict:
    """Compare on the customers that were held out when the new model was trained.

    The champion may have been trained on some of them, which favours it.

    Args:
        log_loss: Of the new model on these customers, in nats.
        champion: Loads the model to beat.

    Raises:
        RegistryError: The champion cannot be fetched, which says nothing of it.
    """
    labels = np.array(list(map(label_reader(schema), held_out)), dtype=np.int64)
    try:
        model = champion()
        theirs = evaluate(labels, model.score(held_out), model.threshold).log_loss
    except RegistryError:
        raise
    except (ModelError, AttributeError, KeyError, ValueError) as error:
        # Unreadable here, or unable to score today's customers: nothing to defend.
        return PromotionVerdict(True, f"the champion cannot score the held-out customers ({error})")
    comparison = f"log loss {log_loss:.4f}, the champion's {theirs:.4f}, margin {MARGIN}"
    return PromotionVerdict(log_loss <= theirs + MARGIN, comparison)
