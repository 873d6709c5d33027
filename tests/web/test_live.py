"""What people see and do on the live page."""

import contextlib
import csv
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from fastavro import parse_schema, schemaless_writer
from playwright.sync_api import Browser, Page, expect
from python_calamine import CalamineWorkbook
from schema_registry import Registry

from builders import event_json
from churnstream.codecs.registry_framing import framed
from churnstream.schema import schema_file
from churnstream.testing.embedded import HOST, embedded_broker, free_port
from integration.flow import Flow, Sent, scaled_timeout, until

SECONDS = 15_000.0  # milliseconds that an expectation may take on a busy machine


class Tab:
    """A tab of the browser, which notes what must not be: errors, and requests to elsewhere."""

    def __init__(self, page: Page, port: int) -> None:
        self.page, self.port = page, port
        self.errors: list[str] = []
        self.foreign: list[str] = []
        page.on(
            "console", lambda said: self.errors.append(said.text) if said.type == "error" else None
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda asked: self._note(asked.url))

    def _note(self, url: str) -> None:
        if not url.startswith((f"http://{HOST}:{self.port}/", "data:")):
            self.foreign.append(url)

    def open(self, query: str = "") -> Page:
        """Go to an address of the page."""
        self.page.goto(f"http://{HOST}:{self.port}/{query}")
        return self.page


@contextlib.contextmanager
def opened(browser: Browser, flow: Flow, *flags: object, width: int = 1280) -> Iterator[Tab]:
    """The live page of a flow; in the end there was no error and no request to elsewhere."""
    port = free_port()
    with flow.process("dashboard", "--port", port, *flags) as server:
        until(lambda: server.says("the page is at"))
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(SECONDS)
        tab = Tab(page, port)
        try:
            yield tab
        finally:
            page.close()
    assert tab.errors == []
    assert tab.foreign == []


@pytest.fixture
def scored(flow: Flow) -> Flow:
    """A flow with all bundled customers scored, and one broken record."""
    flow.run("produce --mode batch")
    flow.send([Sent(b"no JSON", b"broken-key")])
    flow.consume()
    return flow


def test_a_prediction_is_seen_at_once(browser: Browser, flow: Flow) -> None:
    """While 500 events a second flow, an event's prediction is on the page within two seconds."""
    with (
        opened(browser, flow) as tab,
        flow.process("consume"),
        flow.process("produce --events-per-sec 500"),
    ):
        page = tab.open("?q=9999-FRESH")
        until(lambda: len(flow.predictions()) > 2000)
        until(lambda: "Of " in page.locator("#headline").inner_text())
        took = []
        for number in range(3):
            name = f"9999-FRESH{number}"
            begin = time.monotonic()
            flow.send([Sent(event_json(customerID=name), name.encode())])
            page.get_by_role("link", name=name).first.wait_for()
            took.append(time.monotonic() - begin)
    print("seconds from event to page:", [round(one, 2) for one in took])  # noqa: T201
    assert max(took) < scaled_timeout(2)


def test_totals_are_the_topics(browser: Browser, scored: Flow) -> None:
    """What the page counts is what the topics hold."""
    with opened(browser, scored) as tab:
        page = tab.open("?view=pipeline")
        flow_tiles = page.locator("#flow")
        expect(flow_tiles).to_contain_text(f"{len(scored.events()):,} in the topic")
        expect(flow_tiles).to_contain_text(f"{len(scored.predictions()):,} in the topic")
        page = tab.open()
        churners = scored.summary().predicted_churners
        expect(page.locator("#headline")).to_contain_text(f"{churners:,}")


def test_filter_sort_and_history(browser: Browser, scored: Flow) -> None:
    """The table shows what was asked for, in that order, and one customer's past."""
    with opened(browser, scored) as tab:
        page = tab.open()
        expect(page.locator("#table")).to_contain_text("of 7,043")
        page.get_by_role("combobox", name="Contract").select_option("Two year")
        expect(page.locator("#table")).to_contain_text("of 1,695")
        page.get_by_role("link", name="At risk a month").click()
        page.wait_for_url(re.compile("sort=at_risk"))
        cells = page.locator("#table tbody tr td:nth-child(3)").all_inner_texts()
        amounts = [float(cell.replace(",", "")) for cell in cells]
        assert len(amounts) == 25
        assert amounts == sorted(amounts, reverse=True)
        name = page.locator("#table tbody tr td").first.inner_text()
        page.get_by_role("link", name=name).first.click()
        expect(page.locator("#customer")).to_contain_text("Predictions so far")
        page.get_by_placeholder("Find a customer").fill("no such customer")
        page.evaluate("show('filters', document.getElementById('filters').innerHTML)")  # a push
        page.keyboard.press("Enter")
        expect(page.locator("#table")).to_contain_text("No scored customer matches")


def test_what_is_listed_can_be_taken_along(browser: Browser, scored: Flow, tmp_path: Path) -> None:
    """As CSV and as Excel: with the filter and in the order that are on the screen."""
    with opened(browser, scored) as tab:
        page = tab.open("?by.Contract=Two+year&sort=at_risk")
        expect(page.locator("#table")).to_contain_text("of 1,695")
        names = page.locator("#table tbody tr td:nth-child(1)").all_inner_texts()
        found = {}
        for kind in ("CSV", "Excel"):
            with page.expect_download() as download:
                page.get_by_role("link", name=f"Download as {kind}").click()
            target = tmp_path / download.value.suggested_filename
            download.value.save_as(target)
            found[target.name] = names_in(target)
        expect(page.locator("#table")).to_contain_text("of 1,695")  # the page is still there
    assert [*found] == ["customers.csv", "customers.xlsx"]
    for rows in found.values():
        assert len(rows) == 1695
        assert rows[:25] == names


def names_in(path: Path) -> list[str]:
    """The customers in a file, in its order."""
    if path.suffix == ".xlsx":
        sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
        return [str(row[0]) for row in sheet[1:]]
    with path.open(newline="") as file:
        return [row["customerID"] for row in csv.DictReader(file)]


def test_a_broken_record_is_among_the_dead_letters(browser: Browser, scored: Flow) -> None:
    """The operator finds it by its reason, and sees the record as it came."""
    with opened(browser, scored) as tab:
        page = tab.open("?view=pipeline")
        page.get_by_role("link", name="not json").click()
        expect(page.locator("#dead-letters")).to_contain_text("value: is not JSON")
        page.get_by_role("link", name="0:0").first.click()
        expect(page.locator("#record pre")).to_have_text("no JSON")
        expect(page.locator("#record")).to_contain_text("broken-key")


def test_avro_is_shown_as_json_and_what_is_passed_over_is_counted(
    browser: Browser, flow: Flow, tmp_path: Path
) -> None:
    """The operator reads a record in a registry's format, and sees why fewer were scored."""
    schema = tmp_path / "telco.yaml"
    source = "source: {format: avro, tombstones: pass-over}"
    schema.write_text(f"{schema_file.TELCO_FILE.read_text()}\n{source}\n", encoding="utf-8")
    with Registry(tmp_path) as registry:
        flags = ["--schema", schema, "--schema-registry", registry.url]
        values = in_avro(registry, [json.loads(event_json(customerID=f"A{n}")) for n in range(3)])
        flow.send([Sent(value, f"A{n}".encode()) for n, value in enumerate(values)])
        flow.send([Sent(None, b"A0")] * 2)
        flow.consume(*flags)
        with opened(browser, flow, *flags) as tab:
            page = tab.open("?view=pipeline")
            expect(page.locator("#flow")).to_contain_text("5 in the topic, 2 passed over by rule")
            expect(page.locator("#reasons")).to_contain_text("tombstone 2")
            page = tab.open(f"?view=records&topic={flow.settings.topics.input}")
            row = page.locator("#newest tr", has_text='"customerID":"A1"')
            row.get_by_role("link").first.click()
            expect(page.locator("#record pre")).to_contain_text('"customerID": "A1"')


def in_avro(registry: Registry, events: list[dict[str, object]]) -> list[bytes]:
    """Events in Avro, by a schema that the registry has from now on."""
    names = {str: "string", int: "long", float: "double"}
    fields = [{"name": name, "type": names[type(value)]} for name, value in events[0].items()]
    schema = {"type": "record", "name": "Customer", "fields": fields}
    with SchemaRegistryClient({"url": registry.url}) as client:
        schema_id = client.register_schema("customers-value", Schema(json.dumps(schema), "AVRO"))
    found = []
    for event in events:
        stream = io.BytesIO()
        schemaless_writer(stream, parse_schema(schema), event)
        found.append(framed(schema_id, stream.getvalue()))
    return found


def test_a_broker_that_goes_and_comes_back(
    browser: Browser, model_folder: Path, tmp_path: Path, free_address: str
) -> None:
    """The page says that it is not up to date, and goes on by itself once the broker is back."""
    port = int(free_address.rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        with embedded_broker(port) as address:
            own = Flow.create(tmp_path, "gone", address, model_folder)
            own.run("produce --mode batch --no-resume")
            own.consume()
            tab = stack.enter_context(opened(browser, own))
            page = tab.open()
            expect(page.locator("#headline")).to_contain_text("Of 7,043 customers")
        expect(page.locator("#status")).to_contain_text("Not up to date", timeout=30_000)
        expect(page.locator("#headline")).to_contain_text("Of 7,043 customers")
        with embedded_broker(port) as address:
            own = Flow.create(tmp_path, "gone", address, model_folder)
            own.send([Sent(event_json(customerID=f"N{i}"), f"N{i}".encode()) for i in range(5)])
            own.consume()
            expect(page.locator("#status")).to_have_text("live", timeout=60_000)
            expect(page.locator("#headline")).to_contain_text("Of 5 customers", timeout=60_000)


def test_by_keyboard_alone(browser: Browser, scored: Flow) -> None:
    """Focus can be seen, reaches every view, and stays where it is when the page is updated."""
    with opened(browser, scored) as tab:
        page = tab.open()
        expect(page.locator("#table")).to_contain_text("of 7,043")
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("To the content")
        for _ in range(3):
            page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text("Records")
        page.locator("#table tbody a").first.focus()
        name = page.locator(":focus").inner_text()
        scored.send([Sent(event_json(customerID="9999-OTHER"), b"9999-OTHER")])
        scored.consume()
        expect(page.locator("#table")).to_contain_text("of 7,044")
        expect(page.locator(":focus")).to_have_text(name)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(browser: Browser, scored: Flow, width: int, scheme: str) -> None:
    """Nothing sticks out at any width, and axe finds nothing serious in either theme."""
    dead_letters = f"?view=records&topic={scored.settings.topics.deadletter}&partition=0&offset=0"
    with opened(browser, scored, width=width) as tab:
        tab.page.emulate_media(color_scheme=scheme)
        for query in ("", "?view=pipeline", "?view=records", dead_letters):
            page = tab.open(query)
            page.wait_for_timeout(1500)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, query
            serious(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_the_report(browser: Browser, scored: Flow, scheme: str) -> None:
    """The same holds for the report, opened as a file."""
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(scored.settings.summary.path.with_suffix(".html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    serious(page)
    page.close()


def serious(page: Page) -> None:
    """Fail if axe finds anything serious or critical."""
    found = [
        (violation["id"], [node["html"][:160] for node in violation["nodes"]][:3])
        for violation in Axe().run(page).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert found == []
