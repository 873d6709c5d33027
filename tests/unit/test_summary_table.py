"""The summary on a terminal: the numbers are there, and no line is wider than it."""

from datetime import UTC, datetime
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from bank import BANK
from builders import TELCO
from churnstream.analysis.summary import OffsetRange, ScoreTotals, Summary, SummaryWindow
from churnstream.analysis.summary_table import render_summary
from churnstream.analysis.top_customers import TopCustomer, top_customer_type
from churnstream.schema.schema import Schema

NINE = datetime(2026, 1, 31, 9, tzinfo=UTC)


def figures(scored: int, churners: int, revenue: float | None) -> ScoreTotals:
    """Figures with the rate that follows from the counts."""
    return ScoreTotals(
        scored=scored,
        predicted_churners=churners,
        churn_rate=churners / scored,
        average_probability=0.27,
        customers_at_risk=0.27 * scored,
        monthly_revenue_at_risk=revenue,
    )


def top_customer(**changes: Any) -> TopCustomer:
    """A customer of high risk."""
    known = top_customer_type(TELCO)(
        customerID="7216-EWTRS",
        churn_probability=0.818,
        revenue_at_risk=82.454,
        Contract="Month-to-month",
        tenure=1,
        InternetService="Fiber optic",
        PaymentMethod="Electronic check",
        MonthlyCharges=100.8,
        source_partition=1,
        source_offset=2,
    )
    return msgspec.structs.replace(known, **changes)


def summary(**changes: Any) -> Summary:
    """All 7,043 customers and some dead letters."""
    known = Summary(
        **msgspec.structs.asdict(figures(7043, 1869, 139_130.85)),
        messages_read=7118,
        dead_lettered=75,
        dead_letters_by_reason={"empty": 4, "missing_field": 40, "not_json": 1, "wrong_type": 30},
        segments={
            "Contract": {
                "Month-to-month": figures(3875, 1655, 120_847.1),
                "Two year": figures(3168, 214, 18_283.75),
            },
            "InternetService": {"Fiber optic": figures(7043, 1869, 139_130.85)},
            "PaymentMethod": {"Bank transfer (automatic)": figures(7043, 1869, 139_130.85)},
            "tenure": {"0-12": figures(7043, 1869, 139_130.85)},
        },
        top_customers=[top_customer(), top_customer(customerID="5178-LMXOP", tenure=12)],
        window=SummaryWindow({0: OffsetRange(0, 2399), 2: OffsetRange(7, 4724)}, NINE, NINE),
        model_version="2026-01-31-3f2a9c1e",
        threshold=0.5,
        duration_s=0.5,
        events_per_sec=14_236.0,
        generated_at=NINE,
    )
    return msgspec.structs.replace(known, **changes)


def lines(of: Summary, width: int = 80, schema: Schema = TELCO) -> list[str]:
    """What a pipe gets."""
    file = StringIO()
    render_summary(schema, of, Console(file=file, width=width, _environ={}))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def row(of: Summary, label: str, width: int = 80) -> str:
    """The one line that begins with a label, its gaps closed."""
    (found,) = [line for line in lines(of, width) if line.strip().startswith(label)]
    return " ".join(found.split())


def test_headline_comes_first() -> None:
    """The first line says how many are likely to leave and what that costs."""
    first = " ".join(lines(summary())[0].split())

    assert first == "7,043 scored 1,869 likely to leave (26.5 %) 139,131 a month at risk"


def test_segment_row() -> None:
    """A segment shows its counts, its share as a number and a bar, and its revenue."""
    assert row(summary(), "Month-to-month") == "Month-to-month 3,875 1,655 42.7 % ━━━━━ 120,847"
    assert row(summary(), "Two year") == "Two year 3,168 214 6.8 % ╸ 18,284"


def test_every_segmentation_has_a_title() -> None:
    """The segments stand below the names of what divides them."""
    shown = [line.strip() for line in lines(summary())]

    for title in ("Contract", "Internet service", "Payment method", "Months with the company"):
        assert title in shown


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (60, "7216-EWTRS 81.8 % 82.45 1 100.80"),
        (80, "7216-EWTRS 81.8 % 82.45 1 100.80 Month-to-month Fiber optic"),
        (120, "7216-EWTRS 81.8 % 82.45 1 100.80 Month-to-month Fiber optic Electronic check"),
    ],
)
def test_top_customer_row(width: int, shown: str) -> None:
    """A top customer shows risk, revenue, and as many of its fields as there is room for."""
    assert row(summary(), "7216-EWTRS", width) == shown


def test_customers_without_a_value_are_counted() -> None:
    """Without a monthly value there is no money in it, and bands of a number are in order."""
    some = figures(10, 4, None)
    of = summary(
        **msgspec.structs.asdict(figures(10_000, 2037, None)),
        segments={
            "Geography": {"Spain": some, "France": some},
            "Age": dict.fromkeys(["over 60", "31-45", "18-30"], some),
            "HasCrCard": {"yes": some, "missing": some, "no": some},
        },
        top_customers=[
            top_customer_type(BANK)("A", 0.818, None, "Spain", 71, True, 1, 2),
        ],
    )
    shown = [" ".join(line.split()) for line in lines(of, schema=BANK)]
    assert shown[0] == "10,000 scored 2,037 likely to leave (20.4 %)"
    assert shown[1] == "about 2,700 customers expected to leave"
    assert "A 81.8 % 71 Spain yes" in shown
    assert "a month" not in " ".join(shown)
    order = [line.split(" 10 ")[0] for line in shown if " 10 4 40.0 %" in line]
    assert order == ["France", "Spain", "18-30", "31-45", "over 60", "no", "yes", "missing"]


@pytest.mark.parametrize(
    ("label", "line"),
    [
        ("Risk", "Risk 27.0 % on average; likely to leave from 50.0 %"),
        ("Dead letters", "Dead letters 75: missing_field 40, wrong_type 30, others 5"),
        ("Events", "Events 2026-01-31 09:00:00 to 2026-01-31 09:00:00 UTC"),
        ("Offsets", "Offsets 0: 0-2399, 2: 7-4724"),
        ("Read", "Read 7,118 messages in 0.5 s (14,236 a second)"),
        ("Model", "Model 2026-01-31-3f2a9c1e"),
    ],
)
def test_facts_of_the_run(label: str, line: str) -> None:
    """Quality, window, speed and model stand below, a line each."""
    assert row(summary(), label) == line


def test_few_reasons_are_all_named() -> None:
    """Where every reason has room, nothing is summed up as others."""
    few = summary(dead_lettered=3, dead_letters_by_reason={"empty": 1, "not_json": 2})

    assert row(few, "Dead letters") == "Dead letters 3: not_json 2, empty 1"


def test_nothing_scored() -> None:
    """An empty window says so and shows neither tables nor shares."""
    nothing = summary(
        scored=0,
        predicted_churners=0,
        churn_rate=None,
        average_probability=None,
        monthly_revenue_at_risk=0.0,
        messages_read=0,
        dead_lettered=0,
        dead_letters_by_reason={},
        segments={name: {} for name in summary().segments},
        top_customers=[],
        window=SummaryWindow({}, None, None),
        events_per_sec=None,
    )
    shown = [" ".join(line.split()) for line in lines(nothing) if line]

    assert shown == [
        "Nothing was scored",
        "Dead letters none",
        "Read 0 messages in 0.5 s",
        "Model 2026-01-31-3f2a9c1e",
    ]


def test_usual_summary_fits_80_columns() -> None:
    """Nothing is cut in a summary of ordinary size."""
    shown = lines(summary())

    assert max(map(cell_len, shown)) <= 80
    assert not any("…" in line for line in shown)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_absurd_values_stay_within_the_width(width: int) -> None:
    """Whatever the names and numbers, lines are cut rather than wrapped."""
    huge = figures(10**18, 10**18, 1e290)
    absurd = summary(
        **msgspec.structs.asdict(huge),
        model_version="v" * 300,
        segments={name: {"値" * 100: huge} for name in summary().segments},
        top_customers=[top_customer(customerID="C" * 5000, tenure=2**63 - 1)],
        window=SummaryWindow({p: OffsetRange(0, 10**18) for p in range(100)}, NINE, NINE),
    )
    shown = lines(absurd, width)

    assert max(map(cell_len, shown)) <= width
    assert len(shown) < 40


def test_numbers_survive_a_narrow_terminal() -> None:
    """On 60 columns names are cut, numbers are not."""
    shown = "\n".join(lines(summary(), width=60))

    assert "3,875    1,655  42.7 %" in shown
    assert "120,847" in shown
    assert "82.45" in shown


def test_names_from_outside_are_shown_as_they_are() -> None:
    """Markup and emoji codes mean nothing, and control characters do not reach the terminal."""
    shown = "\n".join(lines(summary(top_customers=[top_customer(customerID="[b]:x:\x1b[2J\n")])))

    assert "[b]:x:?[2J?" in shown
    assert "\x1b" not in shown


def test_colour_only_where_the_terminal_has_it() -> None:
    """A terminal gets colour, and the same words."""
    console = Console(file=StringIO(), width=80, force_terminal=True, _environ={"TERM": "xterm"})
    with console.capture() as shown:
        render_summary(TELCO, summary(), console)

    assert "\x1b[" in shown.get()
    assert "1,869 likely to leave" in shown.get()


def test_terminal_that_only_knows_ascii() -> None:
    """The bars are made of what the terminal's encoding has."""
    file = TextIOWrapper(BytesIO(), encoding="ascii")
    render_summary(TELCO, summary(), Console(file=file, width=80, _environ={}))
    file.seek(0)

    assert "42.7 %  -----" in file.read()
