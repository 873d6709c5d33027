"""A summary as a page for the terminal: what to expect first, how it was measured last.

No row wraps: text that does not fit is cut with an ellipsis, and stands in full in the JSON.
On a narrow terminal names give way before numbers do.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from rich.console import Console
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from churnstream.analysis.summary import Figures, Summary
from churnstream.analysis.top_customers import TopCustomer
from churnstream.model.shadow import in_words

_TITLES = {
    "Contract": "Contract",
    "InternetService": "Internet service",
    "PaymentMethod": "Payment method",
    "tenure": "Months with the company",
}
_LARGEST_PLAIN_NUMBER = 1e12  # a longer one would crowd out its neighbours
_BAR_WIDTH = 12
_REASONS_SHOWN = 2
_LONGEST_TEXT = 200  # no terminal is wider


def render(summary: Summary, console: Console) -> None:
    """Print the summary on a console, without colour where that has none."""
    for part in _parts(summary):
        console.print(Padding(part, (0, 1, 1, 1), expand=False), highlight=False)


def _parts(summary: Summary) -> Iterator[Text | Table]:
    yield _headline(summary)
    if summary.scored:
        yield _segments(summary)
    if summary.top_customers:
        yield _top_customers(summary)
    yield _run(summary)


def _headline(summary: Summary) -> Text:
    if not summary.scored:
        return _one_line("Nothing was scored", "bold")
    leaving = f"{_number(summary.predicted_churners)} expected to leave"
    headline = _one_line(f"{_number(summary.scored)} scored   ", "bold")
    headline.append(f"{leaving} ({_percent(summary.churn_rate)})", "red")
    return headline.append(f"   {_number(summary.monthly_revenue_at_risk)} a month at risk")


def _segments(summary: Summary) -> Table:
    table = _table(
        Column("Segment"),
        _numbers("Scored"),
        _numbers("Leaving"),
        _numbers("Share"),
        Column("", no_wrap=True),
        _numbers("At risk\na month"),
    )
    for name, title in _TITLES.items():
        table.add_row(_one_line(title, "bold"))
        for value, figures in summary.segments[name].items():
            table.add_row(_one_line(f"  {value}"), *_segment(figures))
    return table


def _segment(figures: Figures) -> tuple[str | ProgressBar, ...]:
    share = figures.churn_rate or 0
    return (
        _number(figures.scored),
        _number(figures.predicted_churners),
        _percent(share),
        ProgressBar(1, share, _BAR_WIDTH, complete_style="red", finished_style="red"),
        _number(figures.monthly_revenue_at_risk),
    )


def _top_customers(summary: Summary) -> Table:
    table = _table(
        Column("Highest risk"),
        _numbers("Risk"),
        _numbers("At risk\na month"),
        _numbers("Months"),
        Column("Contract"),
        Column("Internet"),
        Column("Security\n/ support"),
    )
    for customer in summary.top_customers:
        table.add_row(*_top_customer(customer))
    return table


def _top_customer(customer: TopCustomer) -> tuple[str | Text, ...]:
    protection = f"{customer.OnlineSecurity} / {customer.TechSupport}"
    return (
        _one_line(customer.customerID),
        _percent(customer.churn_probability),
        _number(customer.revenue_at_risk, decimals=2),
        _number(customer.tenure),
        _one_line(customer.Contract),
        _one_line(customer.InternetService),
        _one_line(protection.replace(" internet service", "")),  # "No internet service" is "No"
    )


def _run(summary: Summary) -> Table:
    table = _table(Column(style="dim", no_wrap=True), Column(), show_header=False)
    for label, text in _facts(summary):
        table.add_row(label, _one_line(text))
    return table


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    if summary.average_probability is not None:
        bar = "" if summary.threshold is None else _percent(summary.threshold)
        leaving = f"; expected to leave from {bar}" if bar else ""
        yield "Risk", f"{_percent(summary.average_probability)} on average{leaving}"
    yield "Dead letters", _dead_letters(summary)
    yield from _window(summary)
    yield "Model", summary.model_version
    for shadow in summary.challengers:
        yield "Challenger", in_words(shadow)


def _dead_letters(summary: Summary) -> str:
    if not summary.dead_lettered:
        return "none"
    reasons = Counter(summary.dead_letters_by_reason).most_common()
    shown = [f"{reason} {_number(count)}" for reason, count in reasons[:_REASONS_SHOWN]]
    if others := sum(count for _, count in reasons[_REASONS_SHOWN:]):
        shown.append(f"others {_number(others)}")
    return f"{_number(summary.dead_lettered)}: {', '.join(shown)}"


def _window(summary: Summary) -> Iterator[tuple[str, str]]:
    window = summary.window
    first, last = window.first_event_ts, window.last_event_ts
    if first and last:
        yield "Events", f"{_time(first)} to {_time(last)} UTC"
    if window.partitions:
        ranges = window.partitions.items()
        yield "Offsets", ", ".join(f"{p}: {offsets.first}-{offsets.last}" for p, offsets in ranges)
    speed = f" ({_number(summary.events_per_sec)} a second)" if summary.events_per_sec else ""
    messages = f"{_number(summary.messages_read)} messages"
    yield "Read", f"{messages} in {_number(summary.duration_s, decimals=1)} s{speed}"


def _table(*columns: Column, show_header: bool = True) -> Table:
    return Table(
        *columns,
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        show_header=show_header,
        header_style="dim",
    )


def _numbers(header: str) -> Column:
    return Column(header, justify="right", no_wrap=True)


def _number(value: float, *, decimals: int = 0) -> str:
    return f"{value:,.{decimals}f}" if value < _LARGEST_PLAIN_NUMBER else f"{value:.2e}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _one_line(text: str, style: str = "") -> Text:
    """Text from elsewhere: no markup, and no control characters for the terminal to obey."""
    printable = "".join(char if char.isprintable() else "?" for char in text[:_LONGEST_TEXT])
    return Text(printable, style, no_wrap=True, overflow="ellipsis")
