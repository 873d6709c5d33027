"""Flags that set settings, and the step from flags to `Settings`."""

from __future__ import annotations

import functools
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from churnstream.cli.flag_settings import named, taken_from
from churnstream.cli.setting_flag import SettingFlag
from churnstream.cli.standard_streams import silence_stdout
from churnstream.pipeline.stop_signal import StopSignal

if TYPE_CHECKING:
    from churnstream.settings import Settings

# Of the flags below, those that say which records a command is about.
_WHERE = {
    "config",
    "customers__schema_file",
    "topics__input",
    "topics__output",
    "topics__deadletter",
    "topics__newest",
    "consumer__group",
}

# Control characters that JSON lets stand in a text, and those that turn the direction of writing.
_OBEYED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
ANY_PATH = click.Path(path_type=Path)


def setting(path: str, *flags: str, **details: Any) -> Decorator:  # noqa: ANN401  # click's own
    """A flag for the setting `section.name`; without the flag, the other sources decide."""
    name = path.replace(".", "__")
    return click.option(*flags, name, default=None, cls=SettingFlag, **details)


def _together(*decorators: Decorator) -> Decorator:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        return functools.reduce(lambda f, decorator: decorator(f), reversed(decorators), function)

    return decorate


logs = _together(
    click.option("--config", type=EXISTING_FILE, help="YAML file of settings [config.yaml]."),
    setting("log.level", "--log-level", help="debug, info, warning or error."),
    setting("log.format", "--log-format", help="console or json."),
)

schema = setting(
    "customers.schema_file",
    "--schema",
    type=ANY_PATH,
    help="What a customer is [customers.yaml, or else Telco's].",
)

connection = _together(
    setting(
        "kafka.brokers",
        "--broker",
        "--bootstrap-servers",
        metavar="HOST:PORT,…",
        help="The brokers.",
    ),
    click.option(
        "-X",
        "properties",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any librdkafka property, as -X security.protocol=SSL; repeatable. Not for passwords, "
        "which a list of processes would show.",
    ),
    setting(
        "kafka.startup_timeout",
        "--startup-timeout",
        type=float,
        help="Seconds to wait for a broker's first answer.",
    ),
    setting(
        "schema_registry.url",
        "--schema-registry",
        metavar="URL",
        help="The registry, where events or predictions have a format that takes one.",
    ),
)

registers = setting(
    "schema_registry.register_schemas",
    "--register/--no-register",
    help="Register the schemas of what is written; --no-register only looks them up.",
)

kafka = _together(
    connection,
    schema,
    setting("topics.input", "--input-topic", "--topic", help="Customers."),
    setting("topics.output", "--output-topic", help="Predictions."),
    setting("topics.deadletter", "--deadletter-topic", help="Rejected records."),
    setting(
        "topics.newest",
        "--newest-topic",
        metavar="NAME",
        help="The newest prediction of each customer; without it, nowhere.",
    ),
    setting("consumer.group", "--group", help="Consumer group."),
)

metrics = _together(
    setting(
        "metrics.port",
        "--metrics-port",
        type=int,
        help="Serve /metrics, /livez and /readyz on this port; without it, nowhere.",
    ),
    setting("metrics.host", "--metrics-host", help="And on this address."),
)

dataset = setting(
    "producer.dataset",
    "--dataset",
    type=ANY_PATH,
    help="File of customers [the one that the schema was made from; of Telco's the 7,043].",
)

model_folder = setting(
    "model.path",
    "--model",
    metavar="FOLDER|models:/NAME@ALIAS",
    help="The model: a folder, or an address in MLflow's registry.",
)

model = _together(
    model_folder,
    setting(
        "model.trusted_types",
        "--trust",
        multiple=True,
        metavar="TYPE",
        help="A type that the model may hold beyond scikit-learn's plain ones; repeatable.",
    ),
)

decision = _together(
    setting("model.seed", "--seed", type=int, help="Split and folds."),
    setting(
        "model.threshold",
        "--threshold",
        metavar="profit|f1|NUMBER",
        help="What the threshold maximises, or the threshold.",
    ),
    setting(
        "model.offer_cost",
        "--offer-cost",
        type=float,
        help="Cost of an offer; by default what offers to everybody would bring in.",
    ),
    setting(
        "model.offer_success_rate",
        "--offer-success-rate",
        type=float,
        help="Share of the churners whom an offer keeps.",
    ),
    setting(
        "model.months_kept",
        "--months-kept",
        type=float,
        help="Months of revenue from each who is kept.",
    ),
)

summary = _together(
    setting(
        "summary.path",
        "--summary",
        type=ANY_PATH,
        help="Where the summary goes.",
    ),
    setting("summary.top_k", "--top", type=int, help="Customers at risk to list."),
)

window = _together(
    setting(
        "consumer.start",
        "--from",
        metavar="WHEN|P:OFFSET,…",
        help="Window start: a timestamp, or offsets by partition.",
    ),
    setting(
        "consumer.end",
        "--to",
        metavar="WHEN|P:OFFSET,…",
        help="Window end, exclusive.",
    ),
)


def as_json(what: str = "JSON instead of a table.") -> Decorator:
    """The one option of all commands that print what programs read.

    Args:
        what: Is printed.
    """
    return click.option("--json", "as_json", is_flag=True, help=what)


def with_settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call a command with `Settings` in place of the flags that set settings."""

    @logs
    @functools.wraps(function)
    def command(config: Path | None, properties: tuple[str, ...] = (), **values: Any) -> Any:  # noqa: ANN401
        settings = named(taken_from(config, properties, values))
        try:
            return function(settings, **values)
        except BrokenPipeError:
            # The reader of our output has seen enough, as `head` has; that is no failure of ours.
            silence_stdout()
            sys.exit(0)

    return command


def process_stop() -> StopSignal:
    """What a stop signal to this process sets; it has been listening since the beginning."""
    return click.get_current_context().ensure_object(StopSignal)


def again(command: str, settings: Settings) -> str:
    """A command to paste after this one: with the flags that say where the records are.

    Args:
        command: Takes the flags of `kafka`.
    """
    context = click.get_current_context()
    words = ["churnstream", *command.split(), "--broker", settings.kafka.brokers]
    for option in context.command.params:
        name, value = option.name or "", context.params.get(option.name or "")
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and (name in _WHERE or name == "properties"):
            for one in value if isinstance(value, tuple) else (value,):
                words += [option.opts[0], _unsecret(one) if name == "properties" else str(one)]
    return shlex.join(words)


def _unsecret(property_text: str) -> str:
    name, _, value = property_text.partition("=")
    is_secret = any(word in name for word in ("password", "secret", "key", "token", "config"))
    return f"{name}={'…' if is_secret else value}"


def json_text(value: object) -> str:
    """A record or a list of records as JSON, in one line, with nothing that a terminal obeys."""
    import msgspec

    return _OBEYED.sub(lambda c: f"\\u{ord(c[0]):04x}", msgspec.json.encode(value).decode())


def echo_json(value: object) -> None:
    """Write a record or a list of records to stdout as readable JSON."""
    import msgspec

    click.echo(msgspec.json.format(json_text(value), indent=2))
