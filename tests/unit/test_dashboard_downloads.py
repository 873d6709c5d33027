"""The customers of the live page as a file: what is in it, who gets it, and how many at once."""

import asyncio
import csv
import threading
from io import BytesIO, StringIO
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from builders import event_message
from churnstream.dashboard import downloads, views
from churnstream.dashboard.app import application
from unit.test_dashboard import NOW, Page, outcome

LOCAL: dict[str, Any] = {"token": None, "local": True}
OPEN: dict[str, Any] = {"token": "let-me-in-please", "local": False}
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def page() -> Page:
    """Four scored customers, one of them with a hostile name, and one without an event."""
    found = Page()
    evil = "=HYPERLINK(A1)"
    found.feed.take_events(
        [
            event_message(0, 0, customerID="A", Contract="One year", MonthlyCharges=100.0),
            event_message(0, 1, customerID="B", MonthlyCharges=50.0),
            event_message(0, 2, customerID=evil, MonthlyCharges=10.0),
        ]
    )
    found.feed.take_outcomes([outcome("A", 0.2, 0), outcome("B", 0.8, 1), outcome(evil, 0.9, 2)])
    found.feed.take_outcomes([outcome("D", 0.7, 0)])  # not the customer of that event
    return found


async def _ask(app: Any, path: str, cookie: str = "") -> Answer:  # a Starlette
    route, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": route,
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1"), (b"cookie", cookie.encode())],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    async def send(part: dict[str, Any]) -> None:
        sent.append(part)

    await app(scope, receive, send)
    headers = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(part.get("body", b"") for part in sent[1:])


def ask(page: Page, *paths: str, access: dict[str, Any] = LOCAL, cookie: str = "") -> list[Answer]:
    """The answers to requests that come at the same time."""
    app = application(page.views, stopped=lambda: True, **access)

    async def all_of_them() -> list[Answer]:
        return await asyncio.gather(*(_ask(app, path, cookie) for path in paths))

    return asyncio.run(all_of_them())


def rows(content: bytes) -> list[dict[str, str]]:
    """The customers in a CSV file."""
    return list(csv.DictReader(StringIO(content.decode(), newline="")))


def test_csv_has_what_the_page_lists(page: Page) -> None:
    """In its order, filtered as it is, with the columns of the export and safe cells."""
    ((status, headers, content),) = ask(page, "/customers.csv?leaving=yes&sort=at_risk")
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="customers.csv"'
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert [row["customerID"] for row in rows(content)] == ["B", "'=HYPERLINK(A1)", "D"]
    first, _, last = rows(content)
    assert float(first["revenue_at_risk"]) == 0.8 * 50
    assert (first["churn_probability"], first["Contract"]) == ("0.8", "Month-to-month")
    assert (last["revenue_at_risk"], last["Contract"]) == ("", "")
    assert first["event_ts"] == NOW.isoformat().replace("+00:00", ".000000Z")
    assert first["model_version"] == "v1"


def test_excel_has_the_same(page: Page) -> None:
    """Numbers as numbers, and a hostile name as the text that it is."""
    ((status, headers, content),) = ask(page, "/customers.xlsx?by.Contract=Month-to-month")
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="customers.xlsx"'
    book = CalamineWorkbook.from_filelike(BytesIO(content))
    names, *found = book.get_sheet_by_index(0).to_python()
    assert names[:4] == ["customerID", "churn_probability", "prediction", "revenue_at_risk"]
    assert [row[:4] for row in found] == [
        ["=HYPERLINK(A1)", 0.9, "Yes", 9.0],
        ["B", 0.8, "Yes", 40],
    ]


def test_all_pages_are_in_it_up_to_a_limit(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever page is shown; the page says so where the file does not have all."""
    assert len(rows(ask(page, "/customers.csv?page=3")[0][2])) == 4
    assert "A download has" not in page.text()
    monkeypatch.setattr(views, "_MAX_IN_FILE", 2)
    found = rows(ask(page, "/customers.csv")[0][2])
    assert [row["churn_probability"] for row in found] == ["0.9", "0.8"]
    assert "A download has the first 2 of them" in page.text()


def test_who_may_not_see_the_page_gets_no_file(page: Page) -> None:
    """The token is asked for here as everywhere."""
    path = "/customers.csv"
    assert ask(page, path, access=OPEN)[0][0] == 401
    assert ask(page, path, access=OPEN, cookie="churnstream=guess")[0][0] == 401
    assert ask(page, path, access=OPEN, cookie="churnstream=let-me-in-please")[0][0] == 200


def test_one_file_is_made_at_a_time(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some wait, and who comes when many wait is sent away instead of filling the memory."""
    at_once, most, lock = 0, 0, threading.Lock()
    make = page.views.customers_in_file

    def counted(address: Any) -> Any:  # passed on
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        try:
            return make(address)
        finally:
            at_once -= 1

    monkeypatch.setattr(page.views, "customers_in_file", counted)
    answers = ask(page, *["/customers.csv"] * (downloads._MAX_WAITING + 3))
    assert sorted(status for status, _, _ in answers) == [200] * downloads._MAX_WAITING + [503] * 3
    assert most == 1


def test_a_page_without_customers_gives_a_file_with_names() -> None:
    """It says that nobody is scored yet."""
    ((status, _, content),) = ask(Page(), "/customers.csv")
    assert status == 200
    assert content.count(b"\n") == 1
