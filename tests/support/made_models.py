"""Models of customers that a test made up."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from churnstream.model import choose_kind as choosing
from churnstream.model import train as training
from churnstream.model.kinds import Kind
from churnstream.model.manifest import load, save
from churnstream.model.scorer import Model
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema


def trained_as(schema: Schema, events: Sequence[Event], kind: Kind) -> Model:
    """A model of a kind, trained, saved and loaded; of few trees, for the time."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(choosing, "_SIZES", {"pairs": (10, 20), "trees": (10, 20)})
        save(training.train(schema, events, kinds=[kind]), Path(folder))
        return load(Path(folder))
