"""init: from a file of customers to a schema file."""

from __future__ import annotations

import os
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from churnstream.cli import options
from churnstream.cli.flag_settings import taken_from
from churnstream.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from churnstream.cli.sample import Sample
    from churnstream.schema.inference.findings import Finding
    from churnstream.schema.inference.infer import Inferred
    from churnstream.schema.inference.questions import Question
    from churnstream.schema.schema import Schema
    from churnstream.settings import Settings

_PIPE_WIDTH = 1_000  # characters; a pipe has no edge at which to break lines
_MAX_EXAMPLE = 20


@click.command()
@click.argument("file", type=options.ANY_PATH, required=False)
@click.option("--topic", metavar="TOPIC", help="Look at a topic's newest events, too.")
@click.option("--id", "id_column", metavar="COLUMN", help="The column that names the customer.")
@click.option(
    "--label",
    metavar="COLUMN[=VALUE]|none",
    help="The column that says who has left, and its value for those, as Exited=1; none: there is "
    "no such column, and customers are only to be scored.",
)
@click.option(
    "--value", metavar="COLUMN|NUMBER", help="What a customer is worth a month: a column or number."
)
@click.option(
    "--leave-out", multiple=True, metavar="COLUMN", help="A column that is no feature; repeatable."
)
@click.option("--name", help="Begins the names of topics and models [made from the file's name].")
@click.option(
    "-o",
    "--output",
    type=options.ANY_PATH,
    default=Path("customers.yaml"),
    help="Where the schema goes [customers.yaml].",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@options.as_json("The schema and the findings as JSON.")
@options.connection
@options.logs
def init(
    file: Path | None,
    topic: str | None,
    id_column: str | None,
    label: str | None,
    value: str | None,
    leave_out: tuple[str, ...],
    name: str | None,
    output: Path,
    force: bool,
    as_json: bool,
    config: Path | None,
    properties: tuple[str, ...],
    **values: Any,  # noqa: ANN401  # flags that set settings
) -> None:
    """Look at a file of customers, a topic or both, and write the schema: what the columns are.

    Says what it concluded of each column and why, and leaves out what is no feature, such as names,
    row numbers, and columns that know who has left. What is not certain it asks on a terminal; in
    a pipe it fails and says which flag answers. A topic also shows where customers are in its
    events; of a file and a topic, the file says what customers are.

    \b
    Examples: churnstream init customers.csv
              churnstream init bank.xlsx --label Exited=1 --leave-out Surname
              churnstream init customers.csv --topic crm.customers
              churnstream init --topic crm.customers --broker 127.0.0.1:9092
    """
    from churnstream.files.plain_numbers import plain_numbers
    from churnstream.schema.inference.infer import infer_schema

    _require_free(output, force=force)
    values["topics__input"] = topic
    sample = _sample(file, topic, output, lambda: taken_from(config, properties, values))
    infer = partial(
        infer_schema,
        sample.rows,
        name=name or sample.name,
        value=value,
        leave_out=leave_out,
        rows_in_all=sample.in_all,
        plain=partial(plain_numbers, form=sample.form),
    )
    given: dict[str, str | None] = {"id": id_column, "label": label}
    inferred = infer(id=id_column, label=label)
    if inferred.questions:
        given |= {q.about: _answer(q, may_ask=not as_json) for q in inferred.questions}
        inferred = infer(id=given["id"], label=given["label"])
    schema = sample.placed(_of(inferred))
    _write(schema, inferred, sample, output)
    _show(inferred, schema, sample, output, as_json=as_json)


def _sample(
    file: Path | None, topic: str | None, output: Path, settings: Callable[[], Settings]
) -> Sample:
    """What is to be looked at."""
    from churnstream.cli.sample import sample_of_file, sample_of_topic, with_topic

    if file is None:
        if topic is None:
            raise ConfigurationError("name a file of customers, or a topic with --topic")
        return sample_of_topic(settings())
    sample = sample_of_file(file, output)
    return with_topic(sample, settings()) if topic else sample


def _require_free(output: Path, *, force: bool) -> None:
    if os.path.lexists(output) and not force:
        raise ConfigurationError(
            f"{output} exists already; --force overwrites it, --output names another file"
        )


def _answer(question: Question, *, may_ask: bool) -> str:
    """What the user says, asked on a terminal.

    Raises:
        ConfigurationError: There is no terminal, or nothing to choose from.
    """
    flag, candidates = f"--{question.about}", question.candidates
    if not candidates:
        raise ConfigurationError(f"{question.text}, or name one with {flag}")
    if not may_ask or not sys.stdin.isatty() or not sys.stderr.isatty():
        listed = "; ".join(f"{c.answer} ({c.evidence})" for c in candidates)
        example = shlex.quote(candidates[0].answer)
        raise ConfigurationError(f"{question.text} {listed}. Say it, as with {flag} {example}")
    click.echo(question.text, err=True)
    for number, candidate in enumerate(candidates, start=1):
        click.echo(_plain(f"  {number}  {candidate.answer}: {candidate.evidence}"), err=True)
    number = click.prompt("number", default=1, type=click.IntRange(1, len(candidates)), err=True)
    return candidates[number - 1].answer


def _of(inferred: Inferred) -> Schema:
    """The schema of an inference; asking again cannot help where it is still open."""
    if inferred.schema is None:
        question = inferred.questions[0]
        raise ConfigurationError(f"{question.text} Name it with --{question.about}")
    return inferred.schema


def _write(schema: Schema, inferred: Inferred, sample: Sample, output: Path) -> None:
    from churnstream import safe_files
    from churnstream.schema.schema_writer import write

    heading = [
        f"What a customer is. Written by `churnstream init {sample.asked}`, yours to edit.",
        "A category takes the values that stand here and no others, unless it says unknown: other.",
    ]
    comments = {f.column: f.remark for f in inferred.findings if f.role == "field" and f.remark}
    text = write(schema, heading=heading, comments=comments)
    try:
        safe_files.replace(output, text.encode())
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}") from error


def _show(
    inferred: Inferred, schema: Schema, sample: Sample, output: Path, *, as_json: bool
) -> None:
    reading = sample.topic.reading(schema) if sample.topic else ()
    notes = [*sample.notes, *inferred.notes, *reading]
    if as_json:
        findings = inferred.findings
        options.echo_json(
            {"schema": schema, "findings": findings, "notes": notes, "file": str(output)}
        )
        return
    _table(inferred.findings)
    click.echo()
    for note in notes:
        click.echo(_plain(f"note: {note}"))
    click.echo(_plain(f"{output} is written, yours to edit; then:"))
    for command in _next_commands(schema, sample, output):
        click.echo(f"  {command}")


def _table(findings: tuple[Finding, ...]) -> None:
    """Show what was concluded of each column; on a terminal as wide as that."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in ("column", "taken for"):
        table.add_column(header)
    for header in ("missing", "values"):
        table.add_column(header, justify="right")
    table.add_column("examples", overflow="fold")
    table.add_column("why", overflow="fold")
    for f in findings:
        cells = (f.column, f.kind or f.role, _share(f.missing), f"{f.distinct:,}", _examples(f))
        style = "dim" if f.role == "left out" else ""
        table.add_row(*(Text(_plain(cell)) for cell in (*cells, f.why)), style=style)
    console = Console()
    if console.is_terminal:
        console.print(table)
        return
    console.width = _PIPE_WIDTH
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())


def _share(missing: float) -> str:
    return f"{missing:.1%}" if missing else ""


def _examples(finding: Finding) -> str:
    cut = (e if len(e) <= _MAX_EXAMPLE else e[: _MAX_EXAMPLE - 1] + "…" for e in finding.examples)
    return ", ".join(cut)


def _plain(text: str) -> str:
    """A text from a file with nothing in it that a terminal obeys."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _next_commands(schema: Schema, sample: Sample, output: Path) -> Iterator[str]:
    """What to do with a schema, to paste."""
    where = "" if output == Path("customers.yaml") else f" --schema {shlex.quote(str(output))}"
    topic = f" --input-topic {shlex.quote(sample.topic.name)}" if sample.topic else ""
    if not schema.label and sample.topic and not sample.file:
        again = f"churnstream init FILE{topic.replace('--input-topic', '--topic')} --force"
        yield f"{again}  # with a file of customers of whom it is known who left"
        return
    if schema.label:
        yield f"churnstream train{where}" + ("" if sample.file else " --dataset FILE")
    if sample.topic:
        registry = "  # and --schema-registry" if sample.topic.needs_registry else ""
        yield f"churnstream topics create{where}{topic}"
        yield f"churnstream consume{where}{topic}{registry}"
        yield f"churnstream audit{where}{topic}{registry}"
        return
    source = shlex.quote(str(sample.file))
    yield f"churnstream batch-predict{where} --input {source} --output scored.csv"
    yield f"churnstream topics create{where}  # needs Kafka; to try it: churnstream broker"
