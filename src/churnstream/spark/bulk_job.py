"""The job that scores a lake, a table or a topic: arguments, reading, writing, what came of it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as f

from churnstream.api import ChurnModel, load_model
from churnstream.errors import ChurnstreamError, DataError
from churnstream.escaping import printable
from churnstream.files.file_form import FileForm
from churnstream.files.number_marks import marks_in_words, number_marks
from churnstream.spark.scored_frames import score, score_events

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.streaming import StreamingQuery

_SAMPLE = 1_000  # rows that show how numbers are written, as of a Parquet file
_LONGEST_ERROR = 2_000
_SCORED = "scored"
# The last line of a traceback of Python, and no name of a class of Java.
_FAULT = re.compile(r"^(?:churnstream\.errors\.\w+: |(?=\w+Error: ))(.+)$", re.MULTILINE)
_KEPT = "spark.sql.streaming.numRecentProgressUpdates"
_ALL_BATCHES = 1_000_000  # of a run; of the last hundred alone there would be no right count
_COUNTS = ("rows", "unscored", "passed_over")


@dataclass(frozen=True)
class _Job:
    """What is read, and where it goes.

    Attributes:
        options: Of Spark's reader.
        checkpoint: Where it is kept what is scored already; None to score everything.
    """

    spark: SparkSession
    parquet: str | None
    table: str | None
    topic: str | None
    options: dict[str, str]
    output: str | None
    output_table: str | None
    checkpoint: str | None

    def read(self) -> DataFrame:
        """All that is there, or what is new."""
        plain = self.spark.read.options(**self.options)
        reader: Any = self.spark.readStream.options(**self.options) if self.checkpoint else plain
        if self.parquet is not None:
            known = reader.schema(plain.parquet(self.parquet).schema) if self.checkpoint else reader
            return known.parquet(self.parquet)
        if self.table is not None:
            return reader.table(self.table)
        return reader.format("kafka").load()

    def write(self, frame: DataFrame) -> dict[str, int]:
        """Write all of it, or go on after the last run; counts what came of it."""
        if self.checkpoint:
            return _counted(self._stream(frame.observe(_SCORED, *_counts())))
        seen = Observation()
        writer = frame.observe(seen, *_counts()).write
        if self.output is not None:
            writer.parquet(self.output)
        else:
            writer.saveAsTable(str(self.output_table))
        counts: dict[str, int] = seen.get
        return counts

    def _stream(self, frame: DataFrame) -> StreamingQuery:
        """Ends once all is scored that was there at its beginning."""
        writer = frame.writeStream.trigger(availableNow=True)
        writer = writer.option("checkpointLocation", str(self.checkpoint))
        if self.output is None:
            query = writer.toTable(str(self.output_table))
        else:
            query = writer.format("parquet").start(self.output)
        query.awaitTermination()
        return query


def _counts() -> list[Column]:
    """What is counted while it passes."""
    is_passed_over = f.col("error").startswith("passed over: ")
    found = (f.count(f.lit(1)), f.count("error"), f.count_if(is_passed_over))
    return [count.alias(name) for count, name in zip(found, _COUNTS, strict=True)]


def _counted(query: StreamingQuery) -> dict[str, int]:
    """The counts of all batches of a run."""
    total = dict.fromkeys(_COUNTS, 0)
    for progress in query.recentProgress:
        if counts := progress.observedMetrics.get(_SCORED):
            for name in total:
                total[name] += counts[name]
    return total


@click.command("score")
@click.option("--model", "place", required=True, help="Folder, or models:/NAME@ALIAS of MLflow.")
@click.option("--trust", multiple=True, help="A type that an adopted pipeline may hold.")
@click.option("--parquet", help="Customers: files of Parquet, by folder or address.")
@click.option("--table", help="Customers: a table by its name.")
@click.option("--topic", help="Customers: the events of a topic.")
@click.option("--broker", help="Of the topic, HOST:PORT.")
@click.option("--option", "options", multiple=True, help="KEY=VALUE for Spark's reader.")
@click.option("--output", help="Folder or address for files of Parquet.")
@click.option("--output-table", help="A table, which is created.")
@click.option("--checkpoint", help="Folder or address: score only what is new since the last run.")
def score_all(
    place: str,
    trust: tuple[str, ...],
    broker: str | None,
    options: tuple[str, ...],
    **where: str | None,
) -> None:
    """Score customers on Spark: the same rows, with what is predicted.

    A row that cannot be scored keeps its values, with the reason in the column `error`. If none
    can, the exit code is 1. What is there is not written over.

    Example: spark-submit deploy/spark/score.py --model models/telco-churn --parquet customers
    --output scored
    """
    _check_one(where, "--parquet", "--table", "--topic")
    _check_one(where, "--output", "--output-table")
    model = load_model(place, trusted=trust)
    given = _of_kafka(where["topic"], broker) | _pairs(options)
    builder = SparkSession.builder.appName("churnstream").config(_KEPT, _ALL_BATCHES)
    job = _Job(builder.getOrCreate(), options=given, **where)
    frame = job.read()
    scored = score_events(frame, model) if job.topic else _scored_rows(job, frame, model)
    counts = job.write(scored)
    if not counts["rows"] and not job.checkpoint:
        raise DataError(f"{where['parquet'] or where['table'] or where['topic']}: has no rows")
    _say(counts, where["output"] or where["output_table"])


def _check_one(given: dict[str, str | None], *flags: str) -> None:
    found = [flag for flag in flags if given[flag.strip("-").replace("-", "_")] is not None]
    if len(found) != 1:
        raise click.UsageError(f"name one of {', '.join(flags)}")


def _of_kafka(topic: str | None, broker: str | None) -> dict[str, str]:
    """What a consumer reads: all that is there, but nothing of a transaction that was aborted."""
    if topic is None:
        return {}
    if broker is None:
        raise click.UsageError("name the broker of the topic: --broker HOST:PORT")
    return {
        "kafka.bootstrap.servers": broker,
        "kafka.isolation.level": "read_committed",
        "subscribe": topic,
        "startingOffsets": "earliest",
        "includeHeaders": "true",
    }


def _pairs(options: tuple[str, ...]) -> dict[str, str]:
    pairs = [option.partition("=") for option in options]
    if wrong := [key for key, equals, _ in pairs if not equals]:
        raise click.UsageError(f"--option {wrong[0]}: write KEY=VALUE")
    return {key: value for key, _, value in pairs}


def _scored_rows(job: _Job, frame: DataFrame, model: ChurnModel) -> DataFrame:
    """Of a batch the first rows show how numbers are written, as of a file; a stream has none."""
    texts = [name for name, kind in frame.dtypes if kind == "string"]
    if job.checkpoint or not texts:
        return score(frame, model)
    sample = frame.limit(_SAMPLE).toArrow()
    form, doubts = number_marks({name: sample[name].to_pylist() for name in texts}, FileForm())
    for note in [*marks_in_words(form), *doubts]:
        click.echo(note, err=True)
    return score(frame, model, decimal=form.decimal or ".", thousands=form.thousands or "")


def _say(counts: dict[str, int], target: str | None) -> None:
    rows, unscored, passed_over = (counts[name] for name in _COUNTS)
    if rows == unscored > passed_over:
        raise DataError(
            f"none of the {rows:,} rows can be scored; see the column error of {target}"
        )
    passed = f", {passed_over:,} passed over" if passed_over else ""
    rejected = f"{unscored - passed_over:,} rejected{passed} (column error)"
    click.echo(f"{rows - unscored:,} rows scored into {target}, {rejected}")


def _cause(said: str) -> str:
    """What went wrong on a worker, without the stacks of two languages around it."""
    faults = _FAULT.findall(said)
    return faults[-1] if faults else said.partition("\n\n")[0]


def main() -> None:
    """Run the job; every failure is one line on stderr and an exit code."""
    try:
        sys.exit(score_all.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        code, said = error.exit_code, f"{error.format_message().rstrip('.')}; see --help"
    except click.Abort:
        code, said = 1, "interrupted"
    except ChurnstreamError as error:
        code, said = error.exit_code, str(error)
    except (PySparkException, Py4JJavaError) as error:
        code, said = 1, _cause(str(error))
    click.echo(f"Error: {printable(' '.join(said.split()), _LONGEST_ERROR)}", err=True)
    sys.exit(code)
