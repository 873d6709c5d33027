"""The bundled customers as a table of PostgreSQL, as a company would have them."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from postgres import Postgres

_PACKAGE = Path(__file__).parents[1] / "src" / "churnstream"
BUNDLED = _PACKAGE / "data" / "customers.csv.gz"
SCHEMA = _PACKAGE / "schema" / "telco.yaml"

_TYPES = {  # of all other columns: text
    "customerID": "text primary key",
    "SeniorCitizen": "boolean",
    "tenure": "integer",
    "MonthlyCharges": "numeric(8, 2) not null",
    "TotalCharges": "numeric",  # who is new has no total yet
}


def source(form: str = "json") -> str:
    """What a schema says of events that are changes of rows, in JSON or in Avro."""
    return f"source: {{{'' if form == 'json' else f'format: {form}, '}envelope: debezium}}"


def schema(form: str = "json") -> str:
    """The bundled schema, told so."""
    return f"{SCHEMA.read_text()}{source(form)}\n"


def create(database: Postgres) -> None:
    """Make the empty table; `changed_at` is the time of a row's last change."""
    header, _rows = _file()
    columns = ", ".join(f'"{name}" {_TYPES.get(name, "text")}' for name in header.split(","))
    database.run(f"create table customers ({columns}, changed_at timestamptz default now())")


def insert(database: Postgres, first: int, after: int) -> None:
    """Insert some of the customers, by their places in the file, in one transaction."""
    header, rows = _file()
    names = ", ".join(f'"{name}"' for name in header.split(","))
    how = "with (format csv, null ' ')"
    database.run(f"copy customers ({names}) from stdin {how}", "\n".join(rows[first:after]))


def change(database: Postgres, first: int, after: int) -> None:
    """Raise what some customers pay, and give each of them another contract."""
    database.run(
        f"""update customers set
            "MonthlyCharges" = "MonthlyCharges" + 10,
            "Contract" = case "Contract" when 'One year' then 'Two year' else 'One year' end,
            changed_at = now()
        where {_among(first, after)}"""
    )


def delete(database: Postgres, first: int, after: int) -> None:
    """Delete some customers."""
    database.run(f"delete from customers where {_among(first, after)}")


def up_to_date(database: Postgres, predictions: str = "churn_predictions") -> int:
    """How many customers have a prediction that knows of their row's last change."""
    if not database.number(f"select count(to_regclass('{predictions}'))"):
        return 0  # the sink makes the table when it has something to write
    return database.number(
        f"""select count(*) from customers join {predictions} using ("customerID")
        where event_ts >= date_trunc('milliseconds', changed_at)"""
    )


def size() -> int:
    """How many customers there are to insert."""
    return len(_file()[1])


def _among(first: int, after: int) -> str:
    """Those at these places in the file."""
    _header, rows = _file()
    ids = ", ".join(f"'{row.partition(',')[0]}'" for row in rows[first:after])
    return f'"customerID" in ({ids})'


@cache
def _file() -> tuple[str, list[str]]:
    """The header and the rows of the file."""
    header, *rows = gzip.decompress(BUNDLED.read_bytes()).decode().splitlines()
    return header, rows
