"""One small file of customers in many forms, and what becomes of each; see `write_files.py`."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

COLUMNS = ("Customer ID", "Signed Up", "Plan", "City", "Paperless", "Months", "Charges", "Churn")
ROWS = (
    ("C-1", "2024-01-15", "Basic", "Köln", "Yes", "12", "29.85", "No"),
    ("C-2", "2023-11-30", "Premium", "Oslo", "No", "3", "1234.50", "Yes"),
    ("C-3", "2022-07-04", "Basic", "Málaga", "No", "40", "", "No"),
    ("C-4", "2021-02-28", "Family", "Graz", "Yes", "55", "80.00", "No"),
)
SCHEMA = """
name: shop
id: Customer ID
label: {field: Churn, churned: Yes, stayed: No}
value: Charges
fields:
  Signed Up: {type: date}
  Plan: {type: category, values: [Basic, Family, Premium]}
  City: {type: category, unknown: other}
  Paperless: {type: boolean}
  Months: {type: integer, min: 0}
  Charges: {type: number, min: 0, missing: allow}
"""
Rows = tuple[tuple[str, ...], ...]


class Variant(NamedTuple):
    """A form of the file.

    Attributes:
        title: What is special about it.
        name: Of the file.
        content: Of the file.
        declared: What the schema says under `file:`.
    """

    title: str
    name: str
    content: bytes
    declared: str = ""


def text(rows: Rows = ROWS, columns: tuple[str, ...] = COLUMNS, delimiter: str = ",") -> str:
    """The file as text."""
    return "".join(f"{delimiter.join(cells)}\n" for cells in (columns, *rows))


def changed(column: str, change: Callable[[str], str]) -> Rows:
    """The rows with the cells of a column written in another way."""
    at = COLUMNS.index(column)
    return tuple((*row[:at], change(row[at]), *row[at + 1 :]) for row in ROWS)


def variants() -> Iterator[Variant]:
    """All forms, those like each other together."""
    plain = text().encode()
    yield Variant("as it is", "c.csv", plain)
    yield from _separated()
    yield from _encoded()
    yield from _named()
    yield from _written_numbers()
    yield from _written_values()
    yield from _packed(plain)
    yield from _other_formats()
    yield from _damaged()


def _separated() -> Iterator[Variant]:
    yield Variant("`;` between cells", "c.csv", text(delimiter=";").encode())
    yield Variant("tabs between cells", "c.tsv", text(delimiter="\t").encode())
    yield Variant("tabs, but named .csv", "c.csv", text(delimiter="\t").encode())
    yield Variant("`|` between cells", "c.txt", text(delimiter="|").encode())
    strange = text(delimiter="^").encode()
    yield Variant("`^` between cells", "c.csv", strange)
    yield Variant("`^` between cells, declared", "c.csv", strange, "delimiter: '^'")
    yield Variant("lines end as on Windows", "c.csv", text().replace("\n", "\r\n").encode())
    quoted = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in (COLUMNS, *ROWS))
    yield Variant("every cell in quotes", "c.csv", quoted.encode())
    yield Variant("blank lines in the end", "c.csv", text().encode() + b"\n\n")
    first, rest = text().split("\n", 1)
    yield Variant("a blank line first", "c.csv", f"\n{first}\n{rest}".encode())
    padded = changed("Plan", " {} ".format)
    yield Variant("blanks around values", "c.csv", text(padded).encode())


def _encoded() -> Iterator[Variant]:
    yield Variant("UTF-8 with a byte order mark", "c.csv", text().encode("utf-8-sig"))
    yield Variant("UTF-16", "c.csv", text().encode("utf-16"))
    latin = text().encode("cp1252")
    yield Variant("Windows-1252", "c.csv", latin)
    yield Variant("Latin-1, declared", "c.csv", latin, "encoding: latin-1")
    yield Variant("another encoding declared than it has", "c.csv", latin, "encoding: utf-8")


def _named() -> Iterator[Variant]:
    def columns(change: Callable[[str], str]) -> bytes:
        return text(columns=tuple(map(change, COLUMNS))).encode()

    yield Variant("names in lower case", "c.csv", columns(str.lower))
    yield Variant("names in snake_case", "c.csv", columns(lambda n: n.lower().replace(" ", "_")))
    yield Variant("names without blanks", "c.csv", columns(lambda n: n.replace(" ", "")))
    yield Variant("blanks around names", "c.csv", columns(" {} ".format))
    twice = text(columns=(*COLUMNS[:3], "plan", *COLUMNS[4:])).encode()
    yield Variant("a column is missing, another is there twice", "c.csv", twice)
    doubled = text(
        tuple((*row, row[2]) for row in ROWS), (*COLUMNS[:2], "PLAN", *COLUMNS[3:], "plan")
    )
    yield Variant("two names that may be meant", "c.csv", doubled.encode())
    order = tuple(row[::-1] for row in ROWS)
    yield Variant("columns in another order", "c.csv", text(order, COLUMNS[::-1]).encode())
    more = text(tuple((*row, "x") for row in ROWS), (*COLUMNS, "Notes")).encode()
    yield Variant("a column more", "c.csv", more)
    less = text(tuple(row[:-1] for row in ROWS), COLUMNS[:-1]).encode()
    yield Variant("no label", "c.csv", less)


def _written_numbers() -> Iterator[Variant]:
    def charges(change: Callable[[str], str], delimiter: str = ";") -> bytes:
        rows = changed("Charges", lambda cell: cell and change(cell))
        return text(rows, delimiter=delimiter).encode()

    yield Variant("decimal comma", "c.csv", charges(lambda n: n.replace(".", ",")))
    grouped = charges(lambda n: n.replace("1234.50", "1,234.50"))
    yield Variant("`1,234.50`", "c.csv", grouped)
    german = charges(lambda n: n.replace(".", ",").replace("1234,", "1.234,"))
    yield Variant("`1.234,50`", "c.csv", german)
    swiss = charges(lambda n: n.replace("1234", "1'234"))
    yield Variant("`1'234.50`", "c.csv", swiss)
    yield Variant("`$29.85`", "c.csv", charges("${}".format))
    yield Variant("`29.85 €`", "c.csv", charges("{} €".format))
    yield Variant("`CHF 29.85`", "c.csv", charges("CHF {}".format))
    dollars = charges(lambda n: f"USD {float(n):,.2f}")
    yield Variant("`USD 1,234.50`", "c.csv", dollars)
    yield Variant("`2.985e1`", "c.csv", charges(lambda n: f"{float(n):.6e}"))
    months = changed("Months", "{}.0".format)
    yield Variant("`12.0` for a whole number", "c.csv", text(months).encode())
    months = changed("Months", "{}.5".format)
    yield Variant("`12.5` for a whole number", "c.csv", text(months).encode())
    yield Variant("a number below its minimum", "c.csv", charges("-{}".format))
    yield Variant("words for a number", "c.csv", charges(lambda _: "plenty"))


def _written_values() -> Iterator[Variant]:
    flags = (("true", "false"), ("1", "0"), ("Y", "N"), ("1.0", "0.0"))
    for yes, no in (*flags, ("ja", "nein"), ("J", "N"), ("WAHR", "FALSCH")):
        rows = changed("Paperless", {"Yes": yes, "No": no}.__getitem__)
        yield Variant(f"`{yes}` and `{no}` for a flag", "c.csv", text(rows).encode())
    for missing in ("NA", "NULL", "nan", " ", "-", "unknown", "None", "k.A."):
        rows = changed("Charges", lambda cell, missing=missing: cell or missing)  # type: ignore[misc]
        yield Variant(f"`{missing}` for a missing number", "c.csv", text(rows).encode())
    for title, order in (("day", "{2}/{1}/{0}"), ("day, dots", "{2}.{1}.{0}")):
        rows = changed("Signed Up", lambda cell, order=order: order.format(*cell.split("-")))  # type: ignore[misc]
        yield Variant(f"dates that begin with the {title}", "c.csv", text(rows).encode())
    rows = changed("Signed Up", "{} 00:00:00".format)
    yield Variant("dates with a time", "c.csv", text(rows).encode())
    rows = changed("Plan", str.upper)
    yield Variant("categories in another case", "c.csv", text(rows).encode())
    rows = changed("City", lambda _: "Atlantis")
    yield Variant("a city never seen", "c.csv", text(rows).encode())


def _packed(plain: bytes) -> Iterator[Variant]:
    yield Variant("gzip", "c.csv.gz", gzip.compress(plain, mtime=0))
    yield Variant("zstd", "c.csv.zst", pa.compress(plain, codec="zstd", asbytes=True))
    yield Variant("zip", "c.zip", _zip({"c.csv": plain}))
    yield Variant("zip with two files", "c.zip", _zip({"a.csv": plain, "b.csv": plain}))


def _zip(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def _other_formats() -> Iterator[Variant]:
    objects = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    lines = "".join(json.dumps(row) + "\n" for row in objects)
    yield Variant("JSON Lines", "c.jsonl", lines.encode())
    yield Variant(
        "JSON Lines, some keys left out", "c.jsonl", lines.replace(', "Charges": ""', "").encode()
    )
    yield Variant("a JSON array", "c.json", json.dumps(objects).encode())
    typed = [
        row
        | {
            "Months": int(row["Months"]),
            "Paperless": row["Paperless"] == "Yes",
            "Charges": float(row["Charges"]) if row["Charges"] else None,
        }
        for row in objects
    ]
    yield Variant(
        "JSON with numbers, true and null",
        "c.jsonl",
        "".join(json.dumps(row) + "\n" for row in typed).encode(),
    )
    yield Variant("Parquet", "c.parquet", _parquet(objects))
    yield Variant("Parquet with types", "c.parquet", _parquet(typed))
    yield Variant("Excel", "c.xlsx", _excel((COLUMNS, *ROWS)))
    yield Variant(
        "Excel, a title above the table", "c.xlsx", _excel((("Customers",), (), COLUMNS, *ROWS))
    )
    yield Variant("Excel named .csv", "c.csv", _excel((COLUMNS, *ROWS)))
    yield Variant("CSV named .xlsx", "c.xlsx", text().encode())


def _parquet(rows: Sequence[Mapping[str, object]]) -> bytes:
    made = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(map(dict, rows))), made)
    return made.getvalue()


def _excel(rows: tuple[tuple[str, ...], ...]) -> bytes:
    made = io.BytesIO()
    with xlsxwriter.Workbook(made) as book:
        sheet = book.add_worksheet()
        for number, cells in enumerate(rows):
            sheet.write_row(number, 0, cells)
    return made.getvalue()


def _damaged() -> Iterator[Variant]:
    yield Variant("a row of totals last", "c.csv", text().encode() + b"Total,,,,,110,1344.35,\n")
    yield Variant("a row too short", "c.csv", text().encode() + b"C-5,2024-01-01,Basic\n")
    yield Variant("the same customer twice", "c.csv", text((*ROWS, ROWS[0])).encode())
    yield Variant("a row without an id", "c.csv", text(((" ", *ROWS[0][1:]), *ROWS)).encode())
    yield Variant("only names of columns", "c.csv", text(()).encode())
    yield Variant("nothing", "c.csv", b"")
    yield Variant("other columns", "c.csv", b"a,b\n1,2\n")
    yield Variant("cut off while packed", "c.csv.gz", gzip.compress(text().encode(), mtime=0)[:-20])
    yield Variant("a picture", "c.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
