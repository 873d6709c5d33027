"""What a notebook or another service needs, in a few names; `import churnstream as cs` has them."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pyarrow as pa

from churnstream import extras
from churnstream.codecs.customer_rows import CustomerRows, open_rows, rows_in
from churnstream.errors import ConfigurationError, DataError
from churnstream.files.file_form import FileForm
from churnstream.files.open_file import open_file
from churnstream.files.plain_numbers import plain_numbers
from churnstream.files.typed_text import as_texts, in_memory
from churnstream.model import manifest, source
from churnstream.model.frames import score_table
from churnstream.model.profit import Offer, Rule
from churnstream.model.quality import Metrics
from churnstream.model.result_columns import score_batch
from churnstream.model.scorer import Model
from churnstream.model.training_rows import labelled, usable
from churnstream.records.rejection import Rejection
from churnstream.schema import schema_file
from churnstream.schema.inference.infer import infer_schema as infer
from churnstream.schema.inference.infer import name_for
from churnstream.schema.schema import Schema

Frame = Any
"""A table in memory: of pandas, polars or pyarrow."""

_SAMPLE = 200_000  # rows that a schema is inferred from
_RESULT = ("churn_probability", "prediction", "reasons", "error")


@dataclass(frozen=True)
class ChurnModel:
    """A model to score customers with.

    Attributes:
        model: What commands and consumers use of it.
    """

    model: Model
    _packed: manifest.Packed | None = None

    @property
    def schema(self) -> Schema:
        """What a customer is to it."""
        return self.model.schema

    @property
    def version(self) -> str:
        """Names this very model."""
        return self.model.version

    @property
    def threshold(self) -> float:
        """The probability from which a customer is said to leave."""
        return self.model.threshold

    @property
    def test(self) -> Metrics:
        """How good it is on customers that it has not seen."""
        return self.model.manifest.test

    def score(self, frame: Frame, *, reasons: bool = True) -> Frame:
        """Score customers.

        Args:
            frame: A row each; the columns that the schema names, and any others.
            reasons: Whether to say why.

        Returns:
            The same kind of frame, with the columns `churn_probability`, `prediction` ("Yes" or
            "No"), `reasons` (a list of texts) and `error`: why a row could not be scored.

        Raises:
            DataError: It lacks a column, or has one of these already.
        """
        native = nw.from_native(frame, eager_only=True)
        if taken := [name for name in _RESULT if name in native.columns]:
            raise DataError(
                f"the frame has the column {taken[0]} already, where the result goes; rename it"
            )
        found, rows = score_table(self.model, native.to_arrow())
        errors = [str(row) if isinstance(row, Rejection) else None for row in rows]
        columns: dict[str, list[Any]] = {
            "churn_probability": [None if np.isnan(p) else p for p in found.tolist()],
            "prediction": [_says(p, self.threshold) for p in found.tolist()],
            **({"reasons": self._reasons(rows, found)} if reasons else {}),
            "error": errors,
        }
        return _with_columns(native, columns)

    def score_batches(
        self, batches: Iterable[pa.RecordBatch], *, decimal: str = ".", thousands: str = ""
    ) -> Iterator[pa.RecordBatch]:
        """Score rows of Arrow, a batch at a time, as `churnstream batch-predict` scores a file.

        For engines that hand over batches, such as Spark (`DataFrame.mapInArrow`), DuckDB or a
        scanner of pyarrow: any number of rows in bounded memory, without reasons. The model may be
        pickled, and so may this method.

        Args:
            batches: Columns of any type, among them those that the schema names, the ID's included.
            decimal: The decimal sign of numbers that are texts, "." or ",".
            thousands: What stands between their thousands: ".", ",", "'", " " or "" for nothing.

        Yields:
            The same rows in their order and with their columns, at most 10,000 at a time, and with
            `churn_probability` (float64, 0 to 1), `prediction` ("Yes" or "No"), `model_version`
            and `error`: why a row could not be scored, which has nothing in the other three.

        Raises:
            DataError: They lack a column, or have one of these already.
            ConfigurationError: There is no such mark.
        """
        form = FileForm(decimal=decimal, thousands=thousands).checked()
        for batch in batches:
            yield from score_batch(self.model, batch, form)

    def _reasons(self, rows: Sequence[Any], found: Any) -> list[list[str] | None]:  # noqa: ANN401
        good = [i for i, p in enumerate(found.tolist()) if not np.isnan(p)]
        why = self.model.reasons([rows[i] for i in good], found[good], "all")
        texts: list[list[str] | None] = [None] * len(rows)
        for i, reasons in zip(good, why, strict=True):
            texts[i] = [reason.text for reason in reasons or []]
        return texts

    def save(self, folder: str | Path) -> None:
        """Put it into a folder, from where `load_model` and `churnstream consume` take it.

        Raises:
            ModelError: The folder cannot be written.
            ConfigurationError: It was loaded, so that it is in a folder already.
        """
        if self._packed is None:
            raise ConfigurationError(f"model {self.version} was loaded; copy its folder")
        manifest.write(self._packed, Path(folder))


def infer_schema(
    data: str | Path | Frame,
    *,
    name: str | None = None,
    id: str | None = None,  # noqa: A002  # as the schema calls it
    label: str | None = None,
    value: str | None = None,
    leave_out: Sequence[str] = (),
) -> Schema:
    """What a customer is, as `churnstream init` finds it out.

    Args:
        data: A file or a frame of customers.
        name: Begins the names of topics; made from the file's name, or "customers".
        id: The column that names the customer.
        label: The column that says who has left, as "Exited", or with its value, as "Exited=1".
        value: What a customer is worth a month: a column, or a number.
        leave_out: Columns that are no features.

    Raises:
        ConfigurationError: The id or the label is not certain; names the candidates.
        DataError: The file cannot be read.
    """
    if isinstance(data, str | Path):
        file = open_file(Path(data))
        batch, plain = file.sample(_SAMPLE, 42), partial(plain_numbers, form=file.form)
        name = name or name_for(Path(data))
    else:
        batch, plain = as_texts(nw.from_native(data, eager_only=True).to_arrow()), None
    try:
        found = infer(
            batch,
            name=name or "customers",
            id=id,
            label=label,
            value=value,
            leave_out=tuple(leave_out),
            plain=plain,
        )
    except ConfigurationError as error:  # speaks of the command's flags
        raise ConfigurationError(
            str(error).replace("--leave-out", "leave_out").replace("--", "")
        ) from None
    if found.schema is None:
        question = found.questions[0]
        listed = "; ".join(f"{c.answer} ({c.evidence})" for c in question.candidates)
        raise ConfigurationError(f"{question.text} {listed}. Say it with {question.about}=…")
    return found.schema


def load_schema(path: str | Path) -> Schema:
    """Read a schema file.

    Raises:
        ConfigurationError: It cannot be read, or something in it is wrong.
    """
    return schema_file.read(Path(path))


def train(
    data: str | Path | Frame,
    schema: Schema,
    *,
    seed: int = 42,
    threshold: Rule = "profit",
    offer: Offer | None = None,
) -> ChurnModel:
    """Train on labelled customers, and measure on some that training has not seen.

    Rows that cannot be read, and those without a label, are left out.

    Args:
        data: A file or a frame of customers.
        schema: What a customer is.
        seed: Of splits and folds.
        threshold: What the threshold maximises, "profit" or "f1", or the threshold itself.
        offer: What it takes to keep a customer, for the profit.

    Raises:
        DataError: The file cannot be read, or no row can be used.
        ModelError: Customers without a label, or too few with one of the two.
    """
    with extras.named("train"):
        from churnstream.model.train import train as fit
    events = labelled(schema, usable(_rows(data, schema))[0])
    found = manifest.packed(
        fit(schema, events, seed=seed, threshold=threshold, offer=offer or Offer())
    )
    return ChurnModel(found.model, found)


def load_model(place: str | Path, *, trusted: Collection[str] = ()) -> ChurnModel:
    """A saved model, checked.

    Args:
        place: A folder, or models:/NAME@ALIAS in MLflow's registry.
        trusted: Types that an adopted pipeline may hold beyond plain ones, see docs/model.md.

    Raises:
        ModelError: There is none, or it cannot be trusted or used.
    """
    return ChurnModel(source.load(str(place), trusted))


def _rows(data: str | Path | Frame, schema: Schema) -> CustomerRows:
    if isinstance(data, str | Path):
        return open_rows(Path(data), schema)
    return rows_in(in_memory(nw.from_native(data, eager_only=True).to_arrow()), schema)


def _says(probability: float, threshold: float) -> str | None:
    if np.isnan(probability):
        return None
    return "Yes" if probability >= threshold else "No"


def _with_columns(frame: Any, columns: dict[str, list[Any]]) -> Frame:  # noqa: ANN401
    """The frame with more columns, in its own library."""
    new = pa.table({name: pa.array(values) for name, values in columns.items()})
    backend = frame.implementation
    added = [
        nw.new_series(name, new[name].to_pylist(), backend=backend) for name in new.column_names
    ]
    return frame.with_columns(*added).to_native()
