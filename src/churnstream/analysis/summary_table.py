"""A summary as a page for the terminal: what to expect first, how it was measured last.

No row wraps: text that does not fit is cut with an ellipsis, and stands in full in the JSON.
On a narrow terminal names give way before numbers do.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from churnstream.analysis.shown_columns import ShownColumn, shown_columns, text_in
from churnstream.analysis.summary import ScoreTotals, Summary
from churnstream.analysis.top_customers import TopCustomer
from churnstream.model.shadow import in_words
from churnstream.schema.schema import Schema
from churnstream.schema.segments import in_order, title_of

_LARGEST_PLAIN_NUMBER = 1e12  # a longer one would crowd out its neighbours
_BAR_WIDTH = 12
_REASONS_SHOWN = 2
_LONGEST_TEXT = 200  # no terminal is wider
_TITLE_WIDTH = 12  # of a line of a column's title
_MARGINS = 2


def render_summary(schema: Schema, summary: Summary, console: Console) -> None:
    """Print the summary on a console, without colour where that has none."""
    for part in _parts(schema, summary, console):
        console.print(Padding(part, (0, 1, 1, 1), expand=False), highlight=False)


def _parts(schema: Schema, summary: Summary, console: Console) -> Iterator[Text | Table]:
    yield _headline(summary)
    if summary.scored and schema.breakdowns:
        yield _segments(schema, summary)
    if summary.top_customers:
        yield _top_customers(schema, summary, console)
    yield _run(summary)


def _headline(summary: Summary) -> Text:
    if not summary.scored:
        return _one_line("Nothing was scored", "bold")
    at_risk = summary.monthly_revenue_at_risk
    leaving = _number(summary.predicted_churners)
    headline = _one_line(f"{_number(summary.scored)} scored   ", "bold")
    headline.append(f"{leaving} likely to leave ({_percent(summary.churn_rate)})", "red")
    if at_risk is not None:
        headline.append(f"   {_number(at_risk)} a month at risk")
    count = _number(summary.customers_at_risk)
    return headline.append(f"\nabout {count} customers expected to leave")


def _segments(schema: Schema, summary: Summary) -> Table:
    table = _table(
        Column("Segment"),
        _numbers("Scored"),
        _numbers("Leaving"),
        _numbers("Share"),
        Column("", no_wrap=True),
        _numbers("Customers\nat risk" if schema.value is None else "At risk\na month"),
    )
    for segment in schema.breakdowns:
        table.add_row(_one_line(title_of(segment), "bold"))
        found = summary.segments[segment.field]
        for name in in_order(schema, segment, found):
            table.add_row(_one_line(f"  {name}"), *_segment(found[name]))
    return table


def _segment(totals: ScoreTotals) -> tuple[str | ProgressBar, ...]:
    share, revenue = totals.churn_rate or 0, totals.monthly_revenue_at_risk
    return (
        _number(totals.scored),
        _number(totals.predicted_churners),
        _percent(share),
        ProgressBar(1, share, _BAR_WIDTH, complete_style="red", finished_style="red"),
        _number(totals.customers_at_risk if revenue is None else revenue),
    )


def _top_customers(schema: Schema, summary: Summary, console: Console) -> Table:
    """As many of the fields that are shown of a customer as the console has room for."""
    columns: list[ShownColumn] = []
    wide = console.options.update(width=_LONGEST_TEXT * 20)
    for column in shown_columns(schema):
        table = _customer_table(schema, summary, [*columns, column])
        if console.measure(table, options=wide).maximum <= console.width - _MARGINS:
            columns.append(column)
    return _customer_table(schema, summary, columns)


def _customer_table(schema: Schema, summary: Summary, columns: Sequence[ShownColumn]) -> Table:
    in_money = schema.value is not None
    table = _table(
        Column("Highest\nrisk"),
        _numbers("Risk"),
        *([_numbers("At risk\na month")] if in_money else []),
        *map(_header, columns),
    )
    for customer in summary.top_customers:
        at_risk = [_number(customer.revenue_at_risk, decimals=2)] if in_money else []
        table.add_row(
            _one_line(schema.id_of(customer)),
            _percent(customer.churn_probability),
            *at_risk,
            *(_cell(schema, column, customer) for column in columns),
        )
    return table


def _header(column: ShownColumn) -> Column:
    lines = textwrap.wrap(column.title, _TITLE_WIDTH, max_lines=2, placeholder="…")
    title = Text("\n").join(map(_one_line, lines))
    return _numbers(title) if column.is_number else Column(title)


def _cell(schema: Schema, column: ShownColumn, customer: TopCustomer) -> str | Text:
    if not column.is_number:
        return _one_line(text_in(schema, column, customer))
    number = getattr(customer, column.attribute)
    return "-" if number is None else _number(number, decimals=column.decimals)


def _run(summary: Summary) -> Table:
    table = _table(Column(style="dim", no_wrap=True), Column(), show_header=False)
    for label, text in _facts(summary):
        table.add_row(label, _one_line(text))
    return table


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    if summary.average_probability is not None:
        bar = "" if summary.threshold is None else _percent(summary.threshold)
        leaving = f"; likely to leave from {bar}" if bar else ""
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
    by_rule = f", {_number(summary.passed_over)} passed over by rule" if summary.passed_over else ""
    messages = f"{_number(summary.messages_read)} messages{by_rule}"
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


def _numbers(header: str | Text) -> Column:
    return Column(header, justify="right", no_wrap=True)


def _number(value: float, *, decimals: int = 0) -> str:
    return f"{value:,.{decimals}f}" if abs(value) < _LARGEST_PLAIN_NUMBER else f"{value:.2e}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _time(timestamp: datetime) -> str:
    return f"{timestamp:%Y-%m-%d %H:%M:%S}"


def _one_line(text: str, style: str = "") -> Text:
    """Text from elsewhere: no markup, and no control characters for the terminal to obey."""
    printable = "".join(char if char.isprintable() else "?" for char in text[:_LONGEST_TEXT])
    return Text(printable, style, no_wrap=True, overflow="ellipsis")
