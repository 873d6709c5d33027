"""The live page without a broker: what it keeps, what it shows, and whom it lets in."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bank import BANK, BankPrediction, bank_customer, bank_message
from builders import TELCO, Prediction, event_message, message
from churnstream.analysis.customer_fields import CustomerFields, Details
from churnstream.connection_settings import KafkaSettings
from churnstream.dashboard import app
from churnstream.dashboard.access import AccessControl
from churnstream.dashboard.customer_query import Query
from churnstream.dashboard.customer_table import PAGE, CustomerTable
from churnstream.dashboard.feed import Feed
from churnstream.dashboard.latency import LatencySeries
from churnstream.dashboard.page_address import VIEWS, PageAddress
from churnstream.dashboard.processes import look
from churnstream.dashboard.record_rates import RecordRate
from churnstream.dashboard.record_view import RecordLookup
from churnstream.dashboard.risk_over_time import EVERYBODY, RiskOverTime
from churnstream.dashboard.state import State
from churnstream.dashboard.views import Views
from churnstream.pipeline.dead_letter_headers import dead_letter_record, describe_rejection
from churnstream.pipeline.topic_layout import PartitionState
from churnstream.records.prediction import ReasonGiven
from churnstream.records.rejection import Rejection
from churnstream.schema.fields import Category
from churnstream.schema.record_types import prediction_type
from churnstream.schema.schema import Schema
from churnstream.settings import DashboardSettings, Settings

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
SETTINGS = Settings(kafka=KafkaSettings(brokers="127.0.0.1:1"), dashboard=DashboardSettings())
TOPICS = SETTINGS.topics
FIELDS = CustomerFields(TELCO)


def prediction(name: str, risk: float, **changes: object) -> Prediction:
    """What a consumer made of an event."""
    fields = {
        "customerID": name,
        "churn_probability": risk,
        "prediction": "Yes" if risk >= 0.5 else "No",
        "event_ts": NOW,
        "processed_ts": NOW,
        "model_version": "v1",
        "source_partition": 0,
        "source_offset": 0,
    }
    return Prediction(**{**fields, **changes})


def outcome(name: str, risk: float, source: int, **changes: object) -> Message:
    """A prediction as a record: that of the event at an offset of partition 0."""
    made = prediction(name, risk, source_offset=source, **changes)
    return message(encode(made), topic=TOPICS.output, offset=source)


def dead_letter(reason: str, offset: int) -> Message:
    """A dead letter as a record."""
    rejected = message(b"<script>", partition=1, offset=offset)
    why = Rejection(reason, "value", "is not <b>JSON</b>")  # type: ignore[arg-type]
    described = describe_rejection(rejected, why, group="g", model_version="v1", now=NOW)
    record = dead_letter_record(rejected, described, 2**20)
    return message(
        record["value"], topic=TOPICS.deadletter, offset=offset, headers=[*record["headers"]]
    )


class Page:
    """A state that was fed, and its views."""

    def __init__(self, schema: Schema = TELCO) -> None:
        self.state = State(schema)
        self.feed = Feed(SETTINGS, self.state, lambda: True)
        self.views = Views(SETTINGS, self.state, RecordLookup(SETTINGS.kafka))

    def pieces(self, **query: str) -> dict[str, str]:
        """The pieces of the page at an address."""
        return self.views.pieces(self.views.address(query))

    def text(self, **query: str) -> str:
        """All pieces of the page at an address, without tags."""
        html = " ".join(self.pieces(**query).values())
        return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture
def page() -> Page:
    """Three customers, two of them scored, and a dead letter."""
    found = Page()
    found.feed.take_events(
        [
            event_message(0, 0, customerID="A", Contract="One year", MonthlyCharges=100.0),
            event_message(0, 1, customerID="B", MonthlyCharges=50.0),
            event_message(0, 2, customerID="C"),
            message(b"[" * 100_000, offset=3),
        ]
    )
    why = [ReasonGiven("tenure", "1", 0.5, "A tenure of 1 month raises the risk")]
    found.feed.take_outcomes([outcome("A", 0.2, 0), outcome("B", 0.8, 1, reasons=why)])
    found.feed.take_outcomes(
        [dead_letter("not_json", 3), message(b"none of ours", topic=TOPICS.output)]
    )
    found.state.reading = False
    found.state.partitions = [PartitionState(TOPICS.input, 0, 0, 4, 3, 1)]
    return found


# ---- what is kept ----


def test_totals_are_those_of_the_topics(page: Page) -> None:
    """Every record counts once, readable or not; customers count once each."""
    state = page.state
    assert (state.events, state.predictions, state.reasons["not_json"]) == (4, 2, 1)
    whole, leaving, average = state.customers.whole()
    assert (whole.scored, leaving) == (2, 1)
    assert average == pytest.approx(0.5)
    assert whole.at_risk == pytest.approx(0.2 * 100 + 0.8 * 50)


def test_a_prediction_that_comes_before_its_event_waits_for_it(page: Page) -> None:
    """What is at risk needs the value, which stand in the event."""
    page.feed.take_outcomes([outcome("D", 0.5, 4)])
    assert page.state.customers.row("D") == -1
    page.feed.take_events([event_message(0, 4, customerID="D", MonthlyCharges=10.0)])
    page.feed.take_outcomes([])
    row = page.state.customers.get(page.state.customers.row("D"))
    assert row.at_risk == pytest.approx(5.0)


def telco_details(contract: str, charges: float, months: int = 1) -> Details:
    """What the page keeps of an event: names of segments, and numbers with the value first."""
    return Details((contract, "DSL", "Mailed check", "0-12"), (charges, months))


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C", "D"]),
        st.floats(0, 1, width=32),
        st.floats(0, 1000, width=32),
        st.sampled_from(["One year", "Two year"]),
    ),
    max_size=30,
)


@given(EVENTS)
def test_columns_hold_the_last_word_on_every_customer(
    events: list[tuple[str, float, float, str]],
) -> None:
    """Figures, segments and order are those of a plain dictionary of the last predictions."""
    customers = CustomerTable(FIELDS)
    last: dict[str, tuple[float, float, str]] = {}
    for name, risk, charges, contract in events:
        said = telco_details(contract, charges)
        customers.score(name, risk, risk >= 0.5, 0.0, [], said)
        last[name] = risk, charges, contract

    whole, leaving, _ = customers.whole()
    at_risk = sum(risk * charges for risk, charges, _ in last.values())
    assert (whole.scored, leaving) == (len(last), sum(r >= 0.5 for r, _, _ in last.values()))
    assert whole.at_risk == pytest.approx(at_risk, abs=0.1)
    for contract, group in customers.groups()["Contract"]:
        assert group.scored == sum(c == contract for _, _, c in last.values())
        now = customers.levels["Contract", contract]
        assert now == pytest.approx(group.at_risk, abs=0.1)
    rows, matching = customers.find(Query(segments=(("Contract", "One year"),)))
    expected = sorted((r for r, _, c in last.values() if c == "One year"), reverse=True)
    assert [row.risk for row in rows] == pytest.approx(expected)
    assert matching == len(expected)


def test_pages_of_the_table_hold_each_customer_once() -> None:
    """Leafing through shows all customers in the order of the sort, without gap or repeat."""
    customers = CustomerTable(FIELDS)
    rng = np.random.default_rng(1)
    for number, risk in enumerate(rng.random(110)):
        said = telco_details("One year", 10.0, number)
        customers.score(f"C{number}", float(risk), True, 0.0, [], said)
    found = [row for page in range(5) for row in customers.find(Query(page=page))[0]]
    assert len({row.name for row in found}) == 110
    assert [row.risk for row in found] == sorted((row.risk for row in found), reverse=True)
    assert len(customers.find(Query(page=1))[0]) == PAGE
    assert customers.find(Query(page=99))[0] == []


@given(st.lists(st.tuples(st.integers(0, 100_000), st.booleans()), min_size=1, max_size=200))
def test_time_is_merged_and_nothing_is_lost(made: list[tuple[int, bool]]) -> None:
    """However long the time, there are at most 120 buckets, and they hold every prediction."""
    series = RiskOverTime()
    for at, leaving in made:
        series.add(at, leaving, {EVERYBODY: 1.0, ("Contract", str(leaving)): 2.0})
    assert len(series.rates()) <= 120
    for part, expected in {
        EVERYBODY: made,
        ("Contract", "True"): [one for one in made if one[1]],
        ("Contract", "False"): [one for one in made if not one[1]],
    }.items():
        tallies = [bucket[part] for bucket in series.buckets if part in bucket]
        assert sum(tally.scored for tally in tallies) == len(expected)
        assert sum(tally.leaving for tally in tallies) == sum(yes for _, yes in expected)
        assert len(series.rates(part)) == len(series.levels(part)) == len(series.buckets)


def test_rates_are_of_the_records_own_seconds() -> None:
    """What is read late still counts in its second, and what is older than five minutes not."""
    rates = RecordRate(lambda: 1000.0)
    rates.add([999.5, 999.9, 996.0, 600.0])
    assert rates.rate() == pytest.approx(3 / 5)
    assert rates.values()[-1] == pytest.approx(3 / 5)
    assert sum(value or 0 for value in rates.values()) == pytest.approx(3 / 5)


def test_latency_is_told_of_the_last_minute() -> None:
    """Older outcomes are history, and no outcome at all is no latency."""
    latencies = LatencySeries(lambda: 1000.0)
    assert latencies.quantiles().p95 is None
    latencies.add(999, 2.0)
    latencies.add(800, 9.0)
    latencies.add(1, 9.0)
    assert latencies.quantiles() == (2.0, 2.0)
    assert [value for value in latencies.values() if value] == [9.0, 2.0]


# ---- what is shown ----


def test_the_managers_view(page: Page) -> None:
    """The headline, the riskiest customer with his reasons, and one customer's history."""
    text = page.text()
    assert "Of 2 customers, 1 (50.0 %) are likely to leave. 60 a month is at risk." in text
    assert text.index("80.0 %") < text.index("20.0 %")
    assert "A tenure of 1 month " in text
    assert "Predictions so far" in page.text(customer="B")
    assert "Nobody of this name was scored" in page.text(customer="nobody")


def test_filters_and_an_empty_result(page: Page) -> None:
    """Only customers that match are listed; if none does, there is a way back."""
    assert "1 to 1 of 1" in page.text(**{"by.Contract": "One year"})
    assert "No scored customer matches" in page.text(q="nobody")
    filters = page.pieces()["filters"]
    found = re.findall(r"<option *>([^<]+)<", filters)
    assert found == ["Month-to-month", "One year", "DSL", "Electronic check", "0-12"]


def test_the_operators_view(page: Page) -> None:
    """Counts, lag, reasons and the model are there."""
    text = page.text(view="pipeline")
    assert "4 in the topic" in text
    assert "not json" in text
    assert "v1 in use" in text


def test_dead_letters_can_be_told_apart(page: Page) -> None:
    """They are listed by reason, and what they hold stays text."""
    listed = {"view": "records", "topic": TOPICS.deadletter}
    assert "is not &lt;b&gt;JSON&lt;/b&gt;" in page.pieces(**listed)["dead-letters"]
    assert "No dead letter for this reason" in page.text(**listed, reason="empty")


def test_an_empty_page_says_what_to_do() -> None:
    """Each view of nothing is still a page."""
    empty = Page()
    assert "churnstream consume" in empty.text()
    assert "churnstream topics create" in empty.text(view="pipeline")
    assert "no record yet" in empty.text(view="records")


def test_a_problem_is_told_with_its_time(page: Page) -> None:
    """The page says that it is not up to date, why, and since when."""
    page.state.set_problem("no broker answers")
    assert "Not up to date since" in page.text()
    page.state.set_problem("")
    assert "Not up to date" not in page.text()


PARAMETERS = [*PageAddress._fields, "q", "sort", "page", "by.Contract", "by.gender", "by.tenure"]


@given(st.dictionaries(st.sampled_from(PARAMETERS), st.text()))
def test_any_address_is_a_page(given_query: dict[str, str]) -> None:
    """Whatever stands in the address, the page is one of its views."""
    address = PageAddress.of(given_query, ["a", "b"], FIELDS)
    assert address.view in VIEWS
    assert address.topic in ("a", "b")
    assert 0 <= address.query.page <= 400
    assert {field for field, _ in address.query.segments} <= {"Contract", "tenure"}
    assert address.link().startswith("?view=")


# ---- customers of another shape ----


@pytest.fixture
def bank_page() -> Page:
    """Four customers of a bank, all of them scored."""
    found = Page(BANK)
    events: list[dict[str, Any]] = [
        {"CustomerId": "A", "Geography": "Spain", "Age": 70, "Balance": None, "HasCrCard": 0},
        {"CustomerId": "B", "Age": 30, "CreditScore": 850},
        {"CustomerId": "C", "Geography": "Germany", "Age": 31, "CreditScore": 300},
        {"CustomerId": "D<b>", "Age": 60, "HasCrCard": True},
    ]
    found.feed.take_events([bank_message(i, **event) for i, event in enumerate(events)])
    why = [
        ReasonGiven("Age", "70", 0.9, "Age 70 raises the risk"),
        ReasonGiven("HasCrCard", "0", 0.3, "Has cr card: no raises the risk"),
        ReasonGiven("Geography", "Spain", -0.1, "Geography Spain lowers the risk"),
    ]
    made = [
        BankPrediction(name, risk, yes, NOW, NOW, "v1", 0, offset, reasons)
        for name, risk, yes, offset, reasons in (
            ("A", 0.9, "Yes", 0, why),
            ("B", 0.2, "No", 1, None),
            ("C", 0.6, "Yes", 2, None),
            ("D<b>", 0.4, "No", 3, [ReasonGiven("<i>", "x", 0.1, "<i> raises the risk")]),
        )
    ]
    found.feed.take_outcomes(
        [message(encode(one), topic=TOPICS.output, offset=i) for i, one in enumerate(made)]
    )
    return found


def test_without_a_value_the_page_counts_customers(bank_page: Page) -> None:
    """Where nobody knows what a customer is worth, no money is spoken of on any view."""
    text = bank_page.text(customer="A")
    assert "Of 4 customers, 2 (50.0 %) are likely to leave." in text
    assert "In all, about 2 customers are expected to leave." in text
    for word in ("a month", "Revenue", "revenue", "at_risk"):
        assert word not in text
    assert "at_risk" not in bank_page.pieces()["table"]
    whole, _, _ = bank_page.state.customers.whole()
    assert whole.at_risk == pytest.approx(0.9 + 0.2 + 0.6 + 0.4)


def test_bands_of_a_number_stand_in_their_order(bank_page: Page) -> None:
    """Segments are bands from low to high, values by name, and flags that say yes or no."""
    groups = bank_page.state.customers.groups()
    named = {field: [name for name, _ in found] for field, found in groups.items()}
    assert named == {
        "Geography": ["France", "Germany", "Spain"],
        "Age": ["18-30", "31-45", "46-60", "over 60"],
        "HasCrCard": ["no", "yes"],
    }
    assert list(bank_page.views.headings.values()) == ["By geography", "By age", "By credit card"]


def test_what_was_rejected_is_in_no_filter(bank_page: Page) -> None:
    """An event without a prediction names no segment and moves no number."""
    before = bank_page.pieces()
    odd = [
        bank_message(4, CustomerId="A", Geography="Atlantis", Age=99),
        bank_message(5, CustomerId="A", Age=17),  # below the schema's minimum
        bank_message(6, CustomerId="E", Balance="much"),
    ]
    bank_page.feed.take_events(odd)
    after = bank_page.pieces()
    changing = {"status"}  # counts what was read
    assert {n: p for n, p in after.items() if n not in changing} == {
        n: p for n, p in before.items() if n not in changing
    }


def test_an_address_filters_and_sorts_by_fields(bank_page: Page) -> None:
    """Each segment and each number of the schema has its parameter; others are passed over."""

    def names(**query: str) -> list[str]:
        table = bank_page.pieces(**query)["table"]
        return re.findall(r'data-key="customer-([^"]+)"', table)

    assert names(**{"by.Age": "over 60"}) == ["A"]
    assert names(**{"by.Geography": "France", "by.HasCrCard": "yes"}) == ["B", "D&lt;b&gt;"][::-1]
    assert names(**{"by.CreditScore": "300", "by.": "x", "Geography": "Spain"}) == names()
    assert names(sort="by.Age") == ["A", "D&lt;b&gt;", "C", "B"]
    assert names(sort="at_risk") == names(sort="risk")
    address = bank_page.views.address({"by.Age": "over 60", "sort": "by.Age"})
    assert "by.Age=over+60&sort=by.Age" in address.link()


def test_numbers_are_shown_as_they_are(bank_page: Page) -> None:
    """Money to the cent, whole numbers whole, and a dash for what is missing."""
    shown = bank_page.pieces(customer="B")["customer"]
    assert [column.field for column in bank_page.state.fields.numbers] == ["Age"]
    assert "<dd>30" in shown
    everything = CustomerFields(msgspec.structs.replace(BANK, segments=()))
    assert [column.field for column in everything.numbers] == ["CreditScore", "Age", "Balance"]
    worth = CustomerFields(msgspec.structs.replace(BANK, value="Balance"))
    assert [column.field for column in worth.numbers] == ["Balance", "Age"]
    balance = worth.read([bank_customer(Balance=None)]).numbers[0]
    assert worth.worth(balance[0]) == 0


def test_reasons_are_made_of_field_and_value(bank_page: Page) -> None:
    """Under a heading that says that they raise the risk they do not say so again."""
    table = bank_page.pieces()["table"]
    found = re.findall("<li>([^<]+)</li>", table)
    assert found[:3] == ["Age 70", "Has cr card: no", "Geography Spain lowers the risk"]
    assert found[3] == "&lt;i&gt; raises the risk"  # of a field that the schema does not have


@pytest.mark.parametrize("value", [None, "Balance", 12.5])
@pytest.mark.parametrize("count", [0, 1, 6])
def test_any_schema_is_a_page(value: str | float | None, count: int) -> None:
    """With a value or without, with no segment or with more than are shown, in any spelling."""
    names = ["class", "Größe m²", "a'<b>", "x", "y", "z"]
    schema = msgspec.structs.replace(
        BANK,
        value=value,
        fields={**BANK.fields, **{name: Category() for name in names}},
        segments=tuple(names[:count]),
    )
    page = Page(schema)
    event: dict[str, Any] = {**dict.fromkeys(names, "<script>"), "Balance": 80.0}
    page.feed.take_events([bank_message(**event)])
    made = prediction_type(schema)(
        "15634602",
        0.5,
        "Yes",
        NOW,
        NOW,
        "v1",
        0,
        0,
    )
    page.feed.take_outcomes([message(encode(made), topic=TOPICS.output)])
    everything = "".join(
        piece for query in ({}, {"customer": "15634602"}) for piece in page.pieces(**query).values()
    )
    assert "<script>" not in everything
    assert everything.count("over time") == 2 * 2 * min(count, 4)
    expected = {None: "about 0 customers", "Balance": ">40<", 12.5: ">6<"}[value]
    assert expected in page.pieces()["headline"]


# ---- who may see it ----


def answer(guard: Mapping[str, Any], path: str = "/", **headers: str) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer to a request."""

    async def page(_: object) -> PlainTextResponse:
        return PlainTextResponse("secret")

    app = Starlette(routes=[Route("/", page)], middleware=[Middleware(AccessControl, **guard)])
    route, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": route,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(part: object) -> None:
        sent.append(part)  # type: ignore[arg-type]

    asyncio.run(app(scope, receive, send))
    start = sent[0]
    pairs = start["headers"]
    return start["status"], {k.decode(): v.decode() for k, v in pairs}  # type: ignore


LOCAL = {"token": None, "local": True}
OPEN = {"token": "let-me-in-please", "local": False}


@pytest.mark.parametrize("host", ["127.0.0.1:8090", "localhost", "[::1]:8090"])
def test_this_machine_may_look(host: str) -> None:
    """On its own address no token is needed."""
    assert answer(LOCAL, host=host)[0] == 200


def test_a_foreign_name_for_this_machine_is_rejected() -> None:
    """A page from elsewhere that has its name point here gets nothing."""
    assert answer(LOCAL, host="evil.example:8090")[0] == 421


@pytest.mark.parametrize(
    ("path", "cookie", "status"),
    [
        ("/", "", 401),
        ("/?token=wrong", "", 401),
        ("/", "churnstream=wrong", 401),
        ("/", "churnstream=let-me-in-please", 200),
        ("/?token=let-me-in-please&view=pipeline", "", 303),
    ],
)
def test_others_need_the_token(path: str, cookie: str, status: int) -> None:
    """Without the token nothing is shown; with it once, the browser remembers."""
    code, headers = answer(OPEN, path, cookie=cookie, host="shop:8090")
    assert code == status
    assert "default-src 'none'" in headers["content-security-policy"]
    if status == 303:
        assert headers["location"] == "/?view=pipeline"
        assert "HttpOnly" in headers["set-cookie"]
        assert "SameSite=strict" in headers["set-cookie"]


def test_a_process_that_does_not_answer_is_named() -> None:
    """A metrics port where nobody listens is shown as just that."""
    assert look("127.0.0.1:1").problem == "does not answer"


def test_style_and_script_name_no_other_host() -> None:
    """Nothing of the page is loaded from elsewhere."""
    folder = Path(__file__).parents[2] / "src" / "churnstream" / "pages"
    for file in folder.iterdir():
        if file.suffix in (".js", ".css", ".j2"):
            assert not re.search(r"https?://|@import|url\(", file.read_text()), file.name


@pytest.mark.parametrize("view", VIEWS)
def test_every_piece_stands_on_its_page(page: Page, view: str) -> None:
    """A piece without a card would be built and never be seen."""
    address = page.views.address({"view": view})
    pieces = page.views.pieces(address)
    html = app._page(page.views, address, pieces)

    assert [name for name in pieces if f'id="{name}"' not in html] == []
