"""Batches that are scanned: every outcome is the same, to the byte, as without."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import TELCO, customer, message, telco_rows
from churnstream.codecs.event_encoder import encode_events
from churnstream.codecs.scan.event_scanner import EventScanner
from churnstream.codecs.scan.scanned_events import ScannedEvents
from churnstream.kafka.polled_records import PolledRecords
from churnstream.model.kinds import Kind
from churnstream.model.scorer import Model
from churnstream.model.source import load
from churnstream.pipeline.scoring import Batch, BatchScorer, Explained
from churnstream.schema.fields import Category
from churnstream.schema.record_types import Event
from churnstream.schema.schema import Schema
from made_customers import customers
from made_models import trained_as

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MANY = 80
BATCH = 5000
EVENTS = int(os.environ.get("PARITY_EVENTS", 4 * BATCH))
PIECES = [
    *(bytes([byte]) for byte in b'"\\,:{}[] \n\t\x00\x7f\xff0159.-+eENntfZTz'),
    *(b"null", b"true", b'""', b'" "', b"1e2", b"\\u0041", b"\xc3\xa9", b'"gender":"Male",'),
]

Record = tuple[bytes | None, bytes | None]


class Only:
    """A model that stays."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def current(self) -> Model:
        """It."""
        return self._model


@pytest.fixture(scope="module")
def models(trained: Path) -> tuple[Model, Model]:
    """The same model twice; the second decodes every event."""
    scanning, plain = load(str(trained)), load(str(trained))
    scanning.decode.__dict__["scanner"] = EventScanner(scanning.schema, lambda value: True)
    plain.decode.__dict__["scanner"] = None
    return scanning, plain


def outcome(model: Model, records: Sequence[Record], explained: Explained) -> Batch:
    """What becomes of records, value and key."""
    messages = [message(value, key=key, offset=n) for n, (value, key) in enumerate(records)]
    scorer = BatchScorer(Only(model), group="g", max_dead_letter_bytes=2**20, explained=explained)
    return scorer.score(PolledRecords.of(messages, {}), NOW)


def telco(number: int, **changes: Any) -> tuple[bytes, bytes]:
    """A customer."""
    changes = {"tenure": number, "TotalCharges": number * 7.35, **changes}
    value = json.dumps(customer(customerID=f"C{number}", **changes), separators=(",", ":")).encode()
    return value, f"C{number}".encode()


ODD = st.one_of(
    st.just((None, b"C")),
    st.binary(max_size=20).map(lambda value: (value, b"C")),
    st.integers(-5, 90).map(lambda n: telco(n, Contract="Three years")),
    st.integers(1, 90).map(lambda n: telco(n, TotalCharges=None)),
    st.just(telco(0, TotalCharges=None)),
    st.integers(1, 90).map(lambda n: telco(n, MonthlyCharges=str(n))),
    st.integers(1, 90).map(lambda n: (telco(n)[0], b"other")),
    st.integers(1, 90).map(lambda n: telco(n, event_ts="2026-01-02T03:04:05+02:00")),
    st.integers(1, 90).map(lambda n: telco(n, gender='Fe"male')),
)


@given(
    st.lists(st.tuples(st.integers(0, MANY), ODD), max_size=12),
    st.sampled_from(["top", "all", "none"]),
)
def test_every_outcome_is_the_same(
    models: tuple[Model, Model], odd: list[tuple[int, Any]], explained: Explained
) -> None:
    """Predictions, dead letters, their order and what follows from them."""
    records: list[Any] = [telco(n) for n in range(1, MANY)]
    for at, record in odd:
        records.insert(at, record)
    assert_the_same(models, records, explained)


def assert_the_same(
    models: tuple[Model, Model], records: Sequence[Record], explained: Explained = "top"
) -> None:
    """Both models make the same of records."""
    scanned, plain = (outcome(model, records, explained) for model in models)
    assert scanned.predictions == plain.predictions
    assert scanned.dead_letters == plain.dead_letters
    assert list(scanned.rejections) == list(plain.rejections)
    assert (scanned.offsets, scanned.partitions) == (plain.offsets, plain.partitions)
    assert np.array_equal(scanned.probabilities, plain.probabilities)
    assert list(scanned.events) == list(plain.events)
    assert scanned.next_offsets == plain.next_offsets
    assert len(scanned) == len(plain) == len(records)


def changed(draw: random.Random, value: bytes, key: bytes | None) -> Record:
    """A record with a change or two, mostly of a few bytes."""
    kind = draw.random()
    if kind < 0.05:
        members = list(json.loads(value).items())
        draw.shuffle(members)
        return json.dumps(dict(members), indent=draw.choice([None, 1])).encode(), key
    if kind < 0.1:
        return draw.choice([(None, key), (b"", key), (value, None), (value, b"x")])
    text = bytearray(value)
    for _ in range(draw.choice([1, 1, 1, 2])):
        at, size = draw.randrange(len(text)), draw.choice([0, 1, 1, 2, draw.randrange(30)])
        text[at : at + size] = draw.choice([*PIECES, bytes(text[at : at + size]) * 2, b""])
    return bytes(text), key


def test_changed_events_of_real_customers(models: tuple[Model, Model]) -> None:
    """As many as PARITY_EVENTS says, in batches of a usual size; ten million were the same."""
    made = encode_events(next(telco_rows().batches(10_000)), TELCO, NOW)
    usual = list(zip(made.values, made.keys, strict=True))
    draw = random.Random(EVENTS)
    for _ in range(EVENTS // BATCH):
        records = draw.choices(usual, k=BATCH)
        assert_the_same(
            models, [changed(draw, *one) if draw.random() < 0.4 else one for one in records]
        )


@given(customers(rows=MANY), st.sampled_from(get_args(Kind)))
@settings(max_examples=30, deadline=None)
def test_customers_of_any_schema_and_models_of_any_kind(
    made: tuple[Schema, list[Event]], kind: Kind
) -> None:
    """Formulas, pairs and trees score and explain columns as they do events, to the last bit."""
    schema, events = made
    model = trained_as(schema, events, kind)
    values = [msgspec.json.encode(event) for event in events]
    keys = [schema.id_of(event).encode() for event in events]
    scanned = EventScanner(model.schema, lambda value: True)(values, keys)
    if scanned is None:
        return
    rows = np.flatnonzero(scanned[1])
    columns = scanned[0].take(rows)
    of_columns = ScannedEvents(values, model.decode.known, columns, rows, {})
    if len(rows) == len(events):
        risks = model.score(events)
        assert np.array_equal(model.score(of_columns), risks)
        assert model.reasons(of_columns, risks, "all") == model.reasons(events, risks, "all")


def test_a_model_of_other_values_looks_at_the_events(models: tuple[Model, Model]) -> None:
    """Numbers of words mean nothing to a challenger whose schema has them in another order."""
    model, _ = models
    scanned = outcome(model, [telco(n) for n in range(1, MANY)], "none")
    fields = dict(model.schema.fields)
    contract = fields["Contract"]
    assert isinstance(contract, Category)
    assert contract.values
    fields["Contract"] = msgspec.structs.replace(contract, values=contract.values[::-1])
    other = Model(
        msgspec.structs.replace(
            model.manifest, schema=msgspec.structs.replace(model.schema, fields=fields)
        ),
        model.formula,
    )
    assert np.array_equal(other.score(scanned.events), scanned.probabilities)


REFUSED = """
import ctypes, sys
from churnstream.codecs.event_decoder import EventDecoder
from churnstream.schema import schema_file
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):  # Linux 6.3: no memory that is written and run
    sys.exit(77)
decode = EventDecoder(schema_file.read(schema_file.TELCO_FILE), scans=True)
sys.exit(decode.scanner is not None)
"""


def test_a_system_that_forbids_machine_code_goes_without() -> None:
    """As a hardened service does."""
    code = subprocess.run([sys.executable, "-c", REFUSED], check=False).returncode
    if code == 77:
        pytest.skip("this kernel cannot forbid it")
    assert code == 0


def test_a_short_batch_is_not_scanned(trained: Path) -> None:
    """It is done before the first scan would be."""
    model, records = load(str(trained)), [telco(n) for n in range(1, MANY)]
    whole = records * (15_000 // len(records) + 1)
    assert not isinstance(outcome(model, whole, "none").events, ScannedEvents)
    assert isinstance(outcome(model, records, "none").events, ScannedEvents)
