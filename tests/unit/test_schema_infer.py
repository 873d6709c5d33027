"""Files as people have them, made here, and what is concluded of them."""

import calendar
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnstream.errors import ConfigurationError, DataError
from churnstream.schema import schema_file, schema_writer
from churnstream.schema.fields import Boolean, Category, Date, Integer, Number
from churnstream.schema.inference.infer import Inferred, infer_schema, name_for
from churnstream.schema.label_and_value import has_left
from churnstream.schema.schema import Label, Schema, Segment
from churnstream.schema.schema_checks import faults
from made_schemas import TEXTS

Columns = dict[str, list[Any]]
ROWS = 600


def customers(rows: int = ROWS, /, **more: list[Any]) -> Columns:
    """A file of customers with honest features; `Exited` is 1 for about a third."""
    random = np.random.default_rng(5)
    tenure = random.integers(0, 72, rows)
    plan = random.choice(["Basic", "Gold", "Silver"], rows)
    odds = 0.8 - tenure / 30 + 1.2 * (plan == "Basic")
    left = random.random(rows) < 1 / (1 + np.exp(-odds))
    return {
        "CustomerId": [f"C-{i * 37 % 100_003:06}" for i in range(1, rows + 1)],
        "Tenure": tenure.tolist(),
        "Plan": plan.tolist(),
        "Balance": random.gamma(2, 1000, rows).round(2).tolist(),
        "HasCard": random.integers(0, 2, rows).tolist(),
        **more,
        "Exited": left.astype(int).tolist(),
    }


def inferred(columns: Columns, **answers: Any) -> Inferred:
    """What is concluded of a file."""
    texts = {n: [None if v is None else str(v) for v in vs] for n, vs in columns.items()}
    table = pa.table({n: pa.array(vs, pa.string()) for n, vs in texts.items()})
    return infer_schema(table, **{"name": "bank", **answers})


def schema_of(columns: Columns, **answers: Any) -> Schema:
    """The schema of a file that leaves no question open."""
    found = inferred(columns, **answers)
    assert found.schema is not None, found.questions
    assert list(faults(found.schema)) == []
    return found.schema


def why(found: Inferred, column: str) -> str:
    """The reason that is given for a column."""
    return next(f.why for f in found.findings if f.column == column)


def test_a_plain_file() -> None:
    """Id, label, types, bounds and segments are found without a question."""
    schema = schema_of(customers(RowNumber=list(range(1, ROWS + 1))))

    assert schema.id == "CustomerId"
    assert schema.label == Label("Exited", "1", "0")
    assert schema.fields == {
        "Tenure": Integer(min=0),
        "Plan": Category(values=("Basic", "Gold", "Silver")),
        "Balance": Number(min=0.0),
        "HasCard": Boolean(),
    }
    assert schema.left_out == {"RowNumber": "counts the rows"}
    assert schema.value is None
    assert schema.segments == ("Plan", Segment("Tenure", (12, 24, 48)))


def test_the_bundled_customers() -> None:
    """The file that comes with the product gives what its own schema says, but for the words."""
    from pyarrow import csv

    path = Path(schema_file.TELCO_FILE).parents[1] / "data" / "customers.csv.gz"
    names = csv.read_csv(path).column_names
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
    )
    found = infer_schema(csv.read_csv(path, convert_options=convert), name="telco")
    own = schema_file.read(schema_file.TELCO_FILE)

    assert found.schema is not None
    assert (found.schema.id, found.schema.label, found.schema.value) == (
        own.id,
        own.label,
        own.value,
    )
    assert found.schema.fields == {n: bare(f) for n, f in own.fields.items()}
    assert "missing exactly where tenure is" in why(found, "TotalCharges")
    assert found.schema.left_out == {}
    assert own.segments[-1].edges == found.schema.segments[-1].edges  # type: ignore[union-attr]


def bare(field: Any) -> Any:
    """A field without words, and without what a missing value of it means."""
    missing = "allow" if field.may_be_missing else "reject"
    return msgspec.structs.replace(field, words=None, missing=missing)


@pytest.mark.parametrize(
    ("name", "left", "stayed"),
    [
        ("churn", "Yes", "No"),
        ("Attrition_Flag", "Attrited Customer", "Existing Customer"),
        ("status", "Left", "Stayed"),
        ("is_churned", "True", "False"),
        ("Exited", "1.0", "0.0"),
        ("Churn?", "True.", "False."),
        ("Gekündigt", "ja", "nein"),
        ("ausgetreten", "J", "N"),
        ("left_company", "WAHR", "FALSCH"),
        ("Exited?", "1", "0"),
    ],
)
def test_labels(name: str, left: str, stayed: str) -> None:
    """Whatever a label is called, and whatever its values are, it is found without a question."""
    columns = customers()
    label = [left if v else stayed for v in columns.pop("Exited")]
    found = inferred({name: label, **columns})

    assert found.schema is not None
    assert found.schema.label == Label(name, left.removesuffix(".0"), stayed.removesuffix(".0"))


@pytest.mark.parametrize(
    ("name", "left", "stayed"),
    [
        ("retained", "no", "yes"),
        ("Account", "closed", "open"),
        ("target", "1", "0"),
        ("is_active", "0", "1"),
        ("Aktiv", "N", "J"),
    ],
)
def test_labels_to_confirm(name: str, left: str, stayed: str) -> None:
    """A column that may be the label is a question, with the value that it suggests."""
    columns = customers()
    label = [left if v else stayed for v in columns.pop("Exited")]
    question = inferred({name: label, **columns}).questions[0]

    assert question.about == "label"
    assert question.candidates[0].answer == f"{name}={left}"


def test_a_label_of_several_spellings() -> None:
    """Upper and lower case are one value, and are counted as one."""
    columns = customers()
    left = columns.pop("Exited")
    spelt = [("YES", "yes") if v else ("no", "No", "NO") for v in left]
    found = inferred({"churn": [texts[i % len(texts)] for i, texts in enumerate(spelt)], **columns})

    assert found.schema is not None
    assert found.schema.label is not None
    assert found.schema.label.churned.lower() == "yes"
    assert f" for {sum(left)} of {ROWS} " in why(found, "churn")


@pytest.mark.parametrize("mark", ["x", "1", "gekündigt"])
def test_a_mark_for_those_who_left(mark: str) -> None:
    """Where only those who left are marked, a blank means that somebody stayed."""
    columns = customers()
    columns["gekündigt"] = [mark if v else None for v in columns.pop("Exited")]
    schema = schema_of(columns)

    assert schema.label == Label("gekündigt", mark, "")
    assert has_left(schema.label, mark)
    assert has_left(schema.label, None) is False
    assert has_left(schema.label, " ") is False


@pytest.mark.parametrize(
    ("values", "is_asked"),
    [
        (["Cancelled", "Paused by us", "Active"], True),
        (["Cancelled", "Expired", "Active"], True),
        (["Cancelled", "Active", "New"], False),
        (["Churned", "Stayed", "Joined"], False),
    ],
)
def test_a_status_of_several_values(values: list[str], is_asked: bool) -> None:
    """Which of them mean that somebody left is asked, unless all the others say that they stay."""
    columns = customers()
    left = columns.pop("Exited")
    status = [values[0] if v else values[1 + i % 2] for i, v in enumerate(left)]
    found = inferred({"status": status, **columns})

    assert bool(found.questions) == is_asked


def test_a_past_event_is_no_label() -> None:
    """That somebody left the year before is asked for, not taken."""
    columns = customers()
    columns["churned_last_year"] = columns.pop("Exited")

    assert [q.about for q in inferred(columns).questions] == ["label"]


def test_label_of_three_values() -> None:
    """Of a status of which one value says that a customer left, the others count as stayed."""
    columns = customers()
    left = columns.pop("Exited")
    columns["Customer Status"] = [
        "Churned" if v else "Joined" if i % 9 == 0 else "Stayed" for i, v in enumerate(left)
    ]
    found = inferred(columns)

    assert found.schema is not None
    assert found.schema.label == Label("Customer Status", "Churned")
    assert "Joined" in why(found, "Customer Status")


def test_label_with_missing_values() -> None:
    """A label that some rows do not have is still the label, and the rows are counted."""
    columns = customers()
    columns["Exited"] = [None if i % 33 == 0 else v for i, v in enumerate(columns["Exited"])]
    found = inferred(columns)

    assert found.schema is not None
    assert found.schema.label == Label("Exited", "1", "0")
    assert "19 rows do not say" in why(found, "Exited")


def test_two_labels_that_say_the_same() -> None:
    """Of equal labels the one in words is taken, and the other left out as its copy."""
    columns = customers()
    left = columns.pop("Exited")
    columns |= {"Churn Value": left, "Churn Label": ["Yes" if v else "No" for v in left]}
    schema = schema_of(columns)

    assert schema.label == Label("Churn Label", "Yes", "No")
    assert schema.left_out["Churn Value"].startswith("says the same as Churn Label")


def test_two_labels_that_differ_are_a_question() -> None:
    """Nothing is guessed where two columns may be the label; an answer settles it."""
    columns = customers()
    left = columns.pop("Exited")
    columns |= {"Churned": left, "Left": [1 - v if i % 5 == 0 else v for i, v in enumerate(left)]}
    found = inferred(columns)

    assert found.schema is None
    assert [c.answer for c in found.questions[0].candidates] == ["Churned=1", "Left=1"]
    assert schema_of(columns, label="Left=1").label == Label("Left", "1", "0")
    assert schema_of(columns, label="left").label == Label("Left", "1", "0")


def test_a_label_of_unknown_meaning_is_a_question() -> None:
    """Values that do not say who left are asked for, the rarer first."""
    columns = customers()
    columns["Exited"] = ["B" if v else "A" for v in columns["Exited"]]
    question = inferred(columns).questions[0]

    assert [c.answer for c in question.candidates] == ["Exited=B", "Exited=A"]


def test_no_label() -> None:
    """A file without a label is fine for scoring, which is said."""
    columns = customers()
    del columns["Exited"]
    found = inferred(columns)

    assert found.schema is not None
    assert found.schema.label is None
    assert any("--label COLUMN=VALUE" in note for note in found.notes)

    columns |= {
        "target": [i // 2 % 2 for i in range(ROWS)],
        "Hand": ["Left", "Right"] * (ROWS // 2),
    }
    answers = [c.answer for c in inferred(columns).questions[0].candidates]
    assert answers == ["target=1", "Hand=Left"]
    assert schema_of(columns, label="none").label is None


def test_wrong_answers() -> None:
    """A column or value that is not there is named with what is there."""
    for answers, words in (
        ({"label": "Exitd=1"}, "did you mean Exited"),
        ({"label": "Exited=7"}, 'never "7"; it is "'),
        ({"label": "Tenure"}, "--label Tenure=VALUE"),
        ({"id": "Customer"}, "--id: the file has no column Customer"),
        ({"leave_out": ["x"]}, "--leave-out"),
        ({"value": "Plan"}, "--value: Plan holds no numbers"),
        ({"value": "-5"}, "--value: -5 is below 0"),
        ({"name": "Über"}, "no name for topics"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            inferred(customers(), **answers)


def test_answers_overrule() -> None:
    """What the user says is done: another id, a value as a number or a column, columns left out."""
    columns = customers(Code=[f"k{i}" for i in range(ROWS)])
    schema = schema_of(columns, id="Code", value="29.5", leave_out=["Plan"])

    assert (schema.id, schema.value) == ("Code", 29.5)
    assert "Plan" in schema.left_out
    assert schema_of(columns, value="Balance").value == "Balance"
    assert schema_of(columns, label="Exited=no").label == Label("Exited", "0", "1")


def test_two_ids_are_a_question() -> None:
    """Where two columns name customers equally well, the user is asked."""
    columns = customers(AccountId=[f"A{i:05}" for i in range(ROWS)])
    question = inferred(columns).questions[0]

    assert question.about == "id"
    assert [c.answer for c in question.candidates] == ["CustomerId", "AccountId"]


def test_a_doubled_id() -> None:
    """An id that names some customers twice is still the id, which is said."""
    columns = customers()
    columns["CustomerId"][7] = columns["CustomerId"][3]
    found = inferred(columns)

    assert found.schema is not None
    assert found.schema.id == "CustomerId"
    assert "more than once" in why(found, "CustomerId")


def test_a_row_counter_is_an_id_only_if_nothing_better_is_there() -> None:
    """A number per row names customers where no column does."""
    columns = customers(rownames=list(range(ROWS)))
    assert schema_of(columns).id == "CustomerId"
    del columns["CustomerId"]
    assert schema_of(columns).id == "rownames"
    del columns["rownames"]
    found = inferred(columns)
    assert found.questions[0].candidates == ()


@pytest.mark.parametrize(
    "name",
    ["Kd.-Nr.", "Policennummer", "Mitgliedsnr", "id_cliente", "Numéro client", "code client"],
)
def test_ids_by_their_names(name: str) -> None:
    """An id of numbers is found by its name, whatever its language joins."""
    columns = customers(**{name: [9_000 + 7 * i for i in range(ROWS)]})
    del columns["CustomerId"]

    assert schema_of(columns).id == name


def test_ids_of_many_digits() -> None:
    """Whole numbers that are too large to compute with name customers as well as others."""
    columns = customers(customer_id=[99_999_999_999_999_000 + i for i in range(ROWS)])
    del columns["CustomerId"]
    assert schema_of(columns).id == "customer_id"
    columns["customer_id"] = [f"4.917{i % 300:03}E+11" for i in range(ROWS)]
    assert "a spreadsheet has cut some off, as 4.917000E+11" in why(
        inferred(columns), "customer_id"
    )


def test_a_panel() -> None:
    """The month of a row is when it was true, and an amount of a customer is no copy of the id."""
    columns = customers()
    columns["CustomerId"] = [f"C-{i // 3}" for i in range(ROWS)]
    columns["month"] = [f"2026-0{i % 3 + 1}-01" for i in range(ROWS)]
    columns["fee"] = [round(20 + 0.37 * (i // 3), 2) for i in range(ROWS)]
    schema = schema_of(columns)

    assert schema.event_time == "month"
    assert schema.fields["fee"] == Number(min=0.0)


def test_an_id_without_a_telling_name() -> None:
    """Where no name tells, numbers of which each row has another one are offered."""
    columns = customers(Kennung=[9_000 + 7 * i for i in range(ROWS)])
    del columns["CustomerId"]
    question = inferred(columns).questions[0]

    assert [c.answer for c in question.candidates] == ["Kennung"]


def test_columns_that_are_no_features() -> None:
    """Constants, empty, near-unique and nameless columns and copies are left out with a reason."""
    columns = customers(
        Country=["Utopia"] * ROWS,
        Empty=[None] * ROWS,
        Note=[f"note {i // 2}" for i in range(ROWS)],
        Email=[f"{i}@example.com" for i in range(ROWS)],
        **{"": list(range(ROWS)), "Unnamed: 0": list(range(ROWS))},
    )
    columns["plan_code"] = [{"Basic": "b", "Gold": "g", "Silver": "s"}[p] for p in columns["Plan"]]
    columns["Tenure2"] = [f"{t}.0" for t in columns["Tenure"]]
    columns["balance"] = columns["Balance"]
    columns["prediction"] = columns["HasCard"]
    left_out = schema_of(columns).left_out

    assert set(left_out) == set(columns) - {
        *("CustomerId", "Tenure", "Plan", "Balance", "HasCard", "Exited")
    }
    assert left_out["Country"] == 'is "Utopia" in every row'
    assert left_out["Empty"] == "is empty in every row"
    assert "300 different texts" in left_out["Note"]
    assert left_out["plan_code"].startswith("says the same as Plan")
    assert left_out["Tenure2"] == "the same as Tenure in every row"


def test_leaks() -> None:
    """Columns that know who left are left out, with the evidence in figures."""
    columns = customers()
    left = columns["Exited"]
    random = np.random.default_rng(6)
    columns |= {
        "Churn Reason": ["price" if v else None for v in left],
        "CancellationDate": [f"2025-{i % 12 + 1:02}-03" if v else None for i, v in enumerate(left)],
        "ContractEnd": [f"20{20 if v else 30}-{i % 12 + 1:02}-03" for i, v in enumerate(left)],
        "LastLogin": [None if v else i % 40 for i, v in enumerate(left)],
        "Churn Score": [int(40 * v + random.integers(0, 60)) for v in left],
        "RiskScore": [round(2.5 * v + random.normal(), 2) for v in left],
        "CLTV": random.integers(2000, 6000, len(left)).tolist(),
    }
    found = inferred(columns)

    assert found.schema is not None
    left_out = found.schema.left_out
    assert set(left_out) == {
        *("Churn Reason", "CancellationDate", "ContractEnd", "LastLogin", "Churn Score"),
        "RiskScore",
    }
    assert "filled only for those who left" in left_out["Churn Reason"]
    assert "filled only for those who stayed" in left_out["LastLogin"]
    assert all("ROC AUC" in left_out[n] for n in ("ContractEnd", "Churn Score", "RiskScore"))
    assert "kept (ROC AUC" in why(found, "CLTV")


def test_a_leak_that_is_0_for_the_others() -> None:
    """A number that only those who left have is a leak, whether the others have 0 or none."""
    columns = customers()
    left = columns["Exited"]
    refunds = [v * (5 + i % 40) * (i % 4 == 0) for i, v in enumerate(left)]
    found = inferred(customers(Refund=refunds))

    assert "tells Exited (other than 0 only for those who left" in why(found, "Refund")


def test_strong_honest_features_stay() -> None:
    """A strong feature is no leak, and a few missing values are no evidence."""
    columns = customers()
    left = columns["Exited"]
    random = np.random.default_rng(7)
    columns["Usage"] = [round(2 * v + random.normal(), 2) for v in left]
    columns["Balance"] = [
        None if v and i < 12 else b
        for i, (v, b) in enumerate(zip(left, columns["Balance"], strict=True))
    ]
    schema = schema_of(columns)

    assert "Usage" in schema.fields
    assert schema.fields["Balance"] == Number(min=0.0, missing="allow")


def test_types() -> None:
    """Types, missing values and bounds are read from the values."""
    n = range(ROWS)
    columns = customers(
        Active=["Yes" if i % 3 else "no" for i in n],
        Paid=[None if i % 50 == 0 else bool(i % 2) for i in n],
        Spend=[f"${i % 97}.50" if i % 40 else "NA" for i in n],
        Change=[i % 90 for i in n],
        Drift=[i % 80 - 3 for i in n],
        Branch=[f"{i % 12:03}" for i in n],
        Zip=[10_000 + i % 30 for i in n],
        City=[f"city {int((i * 7919 % 600) ** 0.78)}" if i % 2 else f"town {i % 9}" for i in n],
        Mess=[None if i % 9 == 0 else "x" if i == 1 else i % 80 for i in n],
        Promo=["spring" if i % 4 else None for i in n],
    )
    found = inferred(columns)

    assert found.schema is not None
    fields = found.schema.fields
    assert fields["Active"] == Boolean(values=("no", "Yes"))
    assert fields["Paid"] == Boolean(values=("false", "true"), missing="allow")
    assert fields["Spend"] == Number(min=0.0, missing="allow")
    assert fields["Change"] == Integer()
    assert fields["Drift"] == Integer()
    assert fields["Branch"] == Category(values=tuple(f"{i:03}" for i in range(12)))
    assert fields["Zip"] == Category(values=tuple(str(10_000 + i) for i in range(30)))
    assert fields["City"] == Category(unknown="other")
    assert fields["Mess"] == Integer(min=0, missing="allow")
    assert fields["Promo"] == Category(values=("spring",), missing="allow")
    assert '1 row holds something else, as "x"' in why(found, "Mess")


def test_numbers_as_the_file_writes_them() -> None:
    """Numbers are made plain in a column of numbers, and texts that look like some stay."""

    def plain(texts: pa.Array) -> pa.Array:
        return pc.replace_substring(pc.replace_substring(texts, ".", ""), ",", ".")

    columns = customers(
        Fee=[f"1.{i % 900 + 100},50" for i in range(ROWS)],
        Code=["a,b" if i % 3 else "c.d" for i in range(ROWS)],
    )
    schema = schema_of(columns, plain=plain)

    assert schema.fields["Fee"] == Number(min=0.0)
    assert schema.fields["Code"] == Category(values=("a,b", "c.d"))


def test_dates() -> None:
    """The order of dates comes from the values, or from the other dates of the file; else said."""
    days = [(i % 28 + 1, i % 12 + 1) for i in range(ROWS)]
    iso = {"Since": [f"2024-{m:02}-{d:02}" for d, m in days]}
    day_first = {"Since": [f"{d}/{m}/2024" for d, m in days]}
    month_first = {"Since": [f"{m:02}-{d:02}-2024 10:30" for d, m in days]}
    unclear = {"Until": [f"{d % 12 + 1}/{m}/2024" for d, m in days]}

    assert schema_of(customers(**iso)).fields["Since"] == Date()
    assert schema_of(customers(**day_first)).fields["Since"] == Date(order="day-first")
    assert schema_of(customers(**month_first)).fields["Since"] == Date(order="month-first")
    both = schema_of(customers(**month_first, **unclear))
    assert both.fields["Until"] == Date(order="month-first")
    found = inferred(customers(**unclear))
    assert "no value tells the day from the month" in why(found, "Until")


@pytest.mark.parametrize("text", ["None", "-", "k.A.", "n.a.", r"\N", "unknown", "\N{EN DASH}"])
def test_no_number(text: str) -> None:
    """What stands for no value among numbers and dates leaves them numbers and dates."""
    values = customers()["Balance"]
    schema = schema_of(
        customers(
            Fee=[text if i % 4 == 0 else v for i, v in enumerate(values)],
            Since=[text if i % 4 == 0 else f"2024-{i % 12 + 1:02}-05" for i in range(ROWS)],
            Card=[text if i % 4 == 0 else "Gold" if i % 3 else "Blue" for i in range(ROWS)],
        )
    )

    assert schema.fields["Fee"] == Number(min=0.0, missing="allow")
    assert schema.fields["Since"] == Date(missing="allow")
    card = schema.fields["Card"]
    assert isinstance(card, Category)
    assert text == r"\N" or text in (card.values or ())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Worth", "${}.00"),
        ("Worth", "{} €"),
        ("Worth", "{},00"),
        ("MonthlyFee", "{}"),
        ("P", "{}%"),
    ],
)
def test_money_may_have_cents(name: str, text: str) -> None:
    """Amounts that are whole in the file are no whole numbers: the next one may have cents."""

    def plain(texts: pa.Array) -> pa.Array:
        return pc.replace_substring_regex(pc.replace_substring(texts, ",", "."), "[$€% ]", "")

    columns = customers(**{name: [text.format(i % 90 + 10) for i in range(ROWS)]})

    assert schema_of(columns, plain=plain).fields[name] == Number(min=0.0)
    assert schema_of(columns).fields["Tenure"] == Integer(min=0)


@pytest.mark.parametrize(
    "text", ["{d}.{m}.24", "{d}-{n}-2024", "{d}. {n} 24", "{n} {d}, 2024", "2024/{m}/{d} 9:30"]
)
def test_dates_as_people_write_them(text: str) -> None:
    """Two digits of a year and the names of months make dates, too."""
    names = calendar.month_abbr[1:]
    found = inferred(
        customers(
            Since=[text.format(d=i % 28 + 1, m=i % 12 + 1, n=names[i % 12]) for i in range(ROWS)]
        )
    )

    assert found.schema is not None
    assert isinstance(found.schema.fields["Since"], Date)
    assert ("1969 to 2068" in why(found, "Since")) == text.endswith((".24", " 24"))
    assert any("the newest date is 2024-12-" in note for note in found.notes)


def test_the_day_of_the_rows() -> None:
    """A column that says when a row was true is no feature: days are counted up to it."""
    columns = customers(
        Since=[f"2019-{i % 12 + 1:02}-05" for i in range(ROWS)],
        snapshot_month=["2020-03" if i % 2 else "2020-02" for i in range(ROWS)],
    )
    found = inferred(columns)

    assert found.schema is not None
    assert found.schema.event_time == "snapshot_month"
    assert "snapshot_month" not in found.schema.fields
    assert not any("newest date" in note for note in found.notes)


def test_numbers_with_a_unit() -> None:
    """It is said that numbers with a unit behind them are texts, and how they are no longer."""
    found = inferred(customers(Data=[f"{i % 9 + 1} GB" for i in range(ROWS)]))

    assert "numbers with GB behind them" in why(found, "Data")


def test_german_names() -> None:
    """Umlauts, day-first dates and Ja/Nein are read as well as English."""
    n = range(ROWS)
    columns = customers()
    german = {
        "Kundennummer": [1_000 + 3 * i for i in n],
        "Vertragsdauer": columns["Tenure"],
        "Seit": [f"{i % 28 + 1:02}.{i % 12 + 1:02}.2023" for i in n],
        "Rabatt": ["Ja" if i % 3 else "Nein" for i in n],
        "Monatsbeitrag": [10 + i % 50 for i in n],
        "Gekündigt": ["Ja" if v else "Nein" for v in columns["Exited"]],
    }
    schema = schema_of(german)

    assert (schema.id, schema.value) == ("Kundennummer", "Monatsbeitrag")
    assert schema.label == Label("Gekündigt", "Ja", "Nein")
    assert schema.fields["Seit"] == Date(order="day-first")
    assert schema.fields["Rabatt"] == Boolean(values=("Nein", "Ja"))


def test_a_monthly_value_that_is_not_clear() -> None:
    """Two columns that may be it, or one that goes below 0, are named and not taken."""
    columns = customers(monthly_fee=[5 + i % 40 for i in range(ROWS)])
    assert schema_of(columns).value == "monthly_fee"
    columns["arpu"] = [3 + i % 45 for i in range(ROWS)]
    assert any("may be monthly_fee or arpu" in note for note in inferred(columns).notes)
    del columns["arpu"]
    columns["monthly_fee"][3] = -1
    assert any("monthly_fee goes below 0" in note for note in inferred(columns).notes)


def test_names_in_snake_case() -> None:
    """A name says the same in any case."""
    columns = customers()
    snake = {
        "customer_id": columns["CustomerId"],
        "monthly_charges": columns["Balance"],
        "has_card": columns["HasCard"],
        "churn": columns["Exited"],
    }
    schema = schema_of(snake)

    assert (schema.id, schema.value) == ("customer_id", "monthly_charges")


def test_a_totally_numeric_file() -> None:
    """Numbers alone are enough, the id among them."""
    random = np.random.default_rng(8)
    columns: Columns = {f"x{i}": random.normal(size=ROWS).round(3).tolist() for i in range(6)}
    columns |= {"id": (random.permutation(10 * ROWS)[:ROWS]).tolist(), "churn": [0, 1] * 300}
    schema = schema_of(columns)

    assert schema.id == "id"
    assert list(schema.fields.values()) == [Number()] * 6


def test_few_rows() -> None:
    """Of three rows something is concluded, with a warning, and no bound."""
    found = inferred(customers(3) | {"Exited": [0, 1, 0]})

    assert found.schema is not None
    assert found.schema.fields["Balance"] == Number()
    assert any("too few" in note for note in found.notes)


def test_a_leak_of_few_who_left() -> None:
    """Fifteen of a thousand are too few for a figure, and enough for "filled only for those"."""
    left = [int(row % 67 == 3) for row in range(1_000)]
    told = ["price" if one else None for one in left]
    found = inferred(
        customers(1_000) | {"Exited": left, "Cancellation": told, "risk_score": [1, 2] * 500}
    )

    assert found.schema is not None
    assert "filled only for those who left, 15 of 15" in found.schema.left_out["Cancellation"]
    assert "risk_score" in found.schema.fields
    (risk,) = [one for one in found.findings if one.column == "risk_score"]
    assert "too few rows to test it" in str(risk)


def test_no_row_and_nothing_to_learn() -> None:
    """A file without rows or features is an error that says so."""
    with pytest.raises(DataError, match="header and no row"):
        inferred({"id": [], "churn": []})
    with pytest.raises(DataError, match="nothing in the file can be a feature"):
        inferred({"id": ["a", "b", "c"], "x": [1, 1, 1]})


def test_many_columns_in_time() -> None:
    """300 columns are sorted out in seconds."""
    random = np.random.default_rng(9)
    more = {f"feature {i}": random.normal(size=2_000).tolist() for i in range(300)}
    columns = customers(2_000, **more)
    start = time.perf_counter()
    schema = schema_of(columns)

    assert len(schema.fields) == 304
    assert time.perf_counter() - start < 20


def test_a_sample_is_said() -> None:
    """What is concluded from a sample says so."""
    found = inferred(customers(), rows_in_all=5_000_000)
    assert "600 out of 5,000,000" in found.notes[0]


CELLS = (
    st.none() | TEXTS | st.sampled_from(["0", "1", "Yes", "No", "3.5", "2024-01-02", "3.4.2024"])
)


@st.composite
def tables(draw: st.DrawFn) -> Columns:
    """Tables of any names and cells."""
    rows = draw(st.integers(1, 30))
    names = draw(st.lists(TEXTS | st.sampled_from(["id", "churn", "event_ts"]), unique=True))
    kinds = [CELLS, st.integers(0, 1), st.integers(), st.sampled_from(["a", "b"])]
    columns = {
        name: draw(st.lists(draw(st.sampled_from(kinds)), min_size=rows, max_size=rows))
        for name in names
    }
    return {"customer_id": list(range(5, 5 + rows)), **columns}


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(tables())
def test_any_table(columns: Columns) -> None:
    """Of any table comes a schema without a fault, a question, or an error that says why not.

    Every column has a finding; the schema survives being written; the answers that a question
    proposes are accepted.
    """
    try:
        found = inferred(columns)
        answers = {q.about: q.candidates[0].answer for q in found.questions if q.candidates}
        if answers:
            found = inferred(columns, **answers)
    except (DataError, ConfigurationError):
        return
    assert [f.column for f in found.findings] == list(columns)
    assert not {q.about for q in found.questions} & set(answers)
    if found.schema is not None:
        assert list(faults(found.schema)) == []
        roles = {f.column: f.role for f in found.findings}
        assert {n for n, r in roles.items() if r == "field"} == set(found.schema.fields)
        assert {n for n, r in roles.items() if r == "left out"} == set(found.schema.left_out)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "customers.yaml"
            path.write_text(schema_writer.write(found.schema), encoding="utf-8")
            assert schema_file.read(path) == found.schema


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("telco_v11.csv", "telco-v11"),
        ("My Customers (2).csv.gz", "my-customers-2"),
        ("Kündiger.xlsx", "k-ndiger"),
        ("..csv", "csv"),
        ("___.csv", "customers"),
    ],
)
def test_names(path: str, name: str) -> None:
    """A schema is named after its file, in letters that a topic may have."""
    assert name_for(Path(path)) == name
