"""What a customer is: the schema as a value, checked.

`churnstream.schema.schema_file` reads and writes it; the model that was trained with it carries
it, so that whoever scores needs nothing but the model.
"""

from collections.abc import Callable
from functools import cached_property
from keyword import iskeyword
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from churnstream.files.file_form import FileForm
from churnstream.schema.event_source import EventSource
from churnstream.schema.fields import AnyField, Boolean, Category, Date, Numeric


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which customers have left.

    Attributes:
        field: The column.
        churned: Its value for those who left.
        stayed: Its value for the others, "" if they are blank; None: every other value that is not
            missing.
    """

    field: str
    churned: str
    stayed: str | None = None


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Customers by the value of a field.

    Attributes:
        edges: Of a numeric field: the last number of each band but the highest, rising.
        title: What it is called; None: made from the field's name.
    """

    field: str
    edges: tuple[float, ...] = ()
    title: str | None = None


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The file that the schema was made from, and how it is to be read; see `files.FileForm`.

    Attributes:
        path: Relative to the folder of the schema file.
    """

    path: str | None = None
    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    sheet: str | None = None

    @property
    def form(self) -> FileForm:
        """How it is to be read; what is None is detected."""
        return FileForm(
            self.format, self.encoding, self.delimiter, self.decimal, self.thousands, self.sheet
        )


class Schema(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, dict=True
):
    """What a customer is.

    Attributes:
        name: Begins the names of topics and of the model's folder.
        id: The field that names the customer.
        fields: What is known of a customer, by name, in the order of the file.
        label: Who has left; None where nobody knows.
        event_time: The field that says when a row was observed; None: when it is sent.
        value: The field that holds what a customer is worth a month, or that number for each;
            None: customers are counted, not money.
        left_out: Columns that are no features, each with the reason.
        segments: By which fields summaries break customers down.
        file: Where the rows are.
        source: Where a customer is in the events of a topic; None: as our own producer writes them.
    """

    name: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9._-]{0,99}$")]
    id: Annotated[str, msgspec.Meta(min_length=1)]
    fields: Annotated[dict[str, AnyField], msgspec.Meta(min_length=1)]
    label: Label | None = None
    event_time: str | None = None
    value: str | float | None = None
    left_out: dict[str, str] = {}
    segments: tuple[str | Segment, ...] = ()
    file: Origin | None = None
    source: EventSource | None = None

    def __hash__(self) -> int:
        return hash(msgspec.json.encode(self))

    @cached_property
    def attributes(self) -> dict[str, str]:
        """By field, id and label included, the attribute of an event that holds it."""
        names = [self.id, *self.fields, *([self.label.field] if self.label else [])]
        return {name: _attribute(name, i) for i, name in enumerate(names)}

    @cached_property
    def source_paths(self) -> dict[str, tuple[str, ...]]:
        """By field, id and label included, where it is within what holds the fields of an event."""
        find = self.source.path_to if self.source else lambda name: (name,)
        return {name: find(name) for name in self.attributes}

    @cached_property
    def is_renamed(self) -> bool:
        """Whether some are somewhere else in the events than under their names."""
        return any(path != (name,) for name, path in self.source_paths.items())

    @cached_property
    def opened(self) -> "Schema":
        """The same, with other values in each category than those that are listed."""
        fields = {
            name: msgspec.structs.replace(field, unknown="other")
            if isinstance(field, Category)
            else field
            for name, field in self.fields.items()
        }
        return msgspec.structs.replace(self, fields=fields)

    @cached_property
    def id_of(self) -> Callable[[Any], str]:
        """Takes an event; the customer's ID."""
        return attrgetter(self.attributes[self.id])

    def getter(self, name: str) -> Callable[[Any], Any]:
        """Takes an event; what it holds in a field."""
        return attrgetter(self.attributes[name])

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What a file of customers must have: the id and the fields."""
        names = (self.id, *self.fields)
        if self.event_time is None or self.event_time in names:
            return names
        return (*names, self.event_time)

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """The fields that a model sees as numbers; those of dates in days."""
        return tuple(n for n, field in self.fields.items() if isinstance(field, Numeric | Date))

    @cached_property
    def categorical(self) -> tuple[str, ...]:
        """The fields that a model sees as one of several values."""
        return tuple(n for n, f in self.fields.items() if isinstance(f, Category | Boolean))

    @cached_property
    def breakdowns(self) -> tuple[Segment, ...]:
        """The segments, those without edges included, in the same form."""
        return tuple(Segment(s) if isinstance(s, str) else s for s in self.segments)


def _attribute(name: str, position: int) -> str:
    """A name that Python takes for an attribute: the field's own where it can be one."""
    if name.isidentifier() and not iskeyword(name) and not name.startswith("_"):
        return name
    return f"_field_{position}"
