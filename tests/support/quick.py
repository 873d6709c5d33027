"""Training in no time, where it does not matter how good a model is."""

from collections.abc import Sequence
from typing import Any

import pytest

from churnstream.model import choose_kind
from churnstream.model.train import TrainedModel, train
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema


def train_quickly(schema: Schema, events: Sequence[Event], **settings: Any) -> TrainedModel:
    """A model of the usual kinds, of very few trees."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choose_kind, "_SIZES", {"pairs": (20,), "trees": (20,)})
        return train(schema, events, **settings)
