"""Writes config.yaml and docs/configuration.md from the settings and the commands' options.

A test checks that both files are up to date.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

from churnstream.cli import cli
from churnstream.connection_settings import Section
from churnstream.settings import Settings
from churnstream.settings_sources import variable

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ROOT = Path(__file__).parents[1]
MAP_OF_PROPERTIES = "kafka.client"
_WIDTH = 100
_LIMITS = {"ge": "{:g} or more", "gt": "more than {:g}"}

_CONFIG_HEAD = """\
# Every setting of churnstream with its default. Remove what you do not change.
#
# Later sources win: defaults < this file < environment variables < flags. Commands read
# `config.yaml` of the folder they are started in, or the file that --config names.
# null means: none. Written by `make generated`; the same as tables: docs/configuration.md.
"""

_DOCUMENT_HEAD = """\
# Configuration

<!-- Written by `make generated` from the settings and the commands. Do not edit by hand. -->

Later sources win: defaults < `config.yaml` < environment variables < flags.

- **File.** Commands read `config.yaml` of the folder they are started in, or the file that
  `--config` names. The setting `section.name` stands there as `name` under `section`. Every value
  is taken as it is written: a password `0123`, a time `10:30` or a bare timestamp needs no quotes.
- **Environment.** `CHURNSTREAM_SECTION__NAME`, with two underscores in the middle. Sections,
  objects and lists take JSON. What Kubernetes adds for a Service named `churnstream…`
  (`CHURNSTREAM_SERVICE_HOST`, `CHURNSTREAM_PORT=tcp://…` and the like) is no setting.
- **Flags.** Each command takes the flags that matter to it; `--help` lists them. Where only one
  command takes a flag, it is named here.

A name that does not exist or stands twice, and a value out of range, end the command with exit code
2 and one line that says where: the file and its line, the variable or the flag. It never quotes a
value of the file or of a variable, which may be a password.
All settings of one file with their defaults: [config.yaml](../config.yaml).
"""

_CLIENT_NOTE = """\
`kafka.client` takes any [librdkafka property](https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md)
and passes it on as it is, but for those that could break a guarantee (`auto.offset.reset`, `acks`,
`isolation.level` …) and for values at which work would stand still: they are rejected with the
reason, and exit code 2. As an environment variable it is one JSON object. `-X` adds single
properties to those of the other sources; a password does not belong there, since whoever lists the
processes of the machine sees it. The values are never printed. Examples:
[guide to Kafka](kafka_guide.md#a-cluster-with-tls-and-sasl).
"""

_OTHER_FLAGS = """\
## Flags that are no settings

They belong to one run, so there is neither a variable nor a line in `config.yaml` for them.
"""


def files() -> dict[Path, str]:
    """What the generated files should hold."""
    return {
        ROOT / "config.yaml": config_yaml(),
        ROOT / "docs" / "configuration.md": document(),
    }


# ---- config.yaml ----


def config_yaml() -> str:
    """Every setting with its default and a comment, in the order of the settings."""
    blocks = [_CONFIG_HEAD]
    for section, its_type in sections():
        lines = [f"{section}:  # {_heading(its_type)}"]
        for name, field in its_type.model_fields.items():
            lines += textwrap.wrap(
                _meaning(field), _WIDTH, initial_indent="  # ", subsequent_indent="  # "
            )
            lines.append(f"  {name}: {json.dumps(_default(field))}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


# ---- docs/configuration.md ----


def document() -> str:
    """A table for each section, then one with the flags that set nothing."""
    flags = _flags_by_setting()
    parts = [_DOCUMENT_HEAD]
    for section, its_type in sections():
        parts.append(f"## {section}: {_heading(its_type)}\n\n{_settings(section, its_type, flags)}")
        if MAP_OF_PROPERTIES.startswith(f"{section}."):
            parts.append(_CLIENT_NOTE)
    others = _table(("Command", "Flag", "Default", "Meaning"), _other_flags())
    parts.append(f"{_OTHER_FLAGS}\n{others}")
    return "\n".join(parts)


def _settings(section: str, its_type: type[Section], flags: dict[str, str]) -> str:
    rows = (
        (
            _code(f"{section}.{name}"),
            _code(variable(section, name)),
            flags.get(f"{section}.{name}", ""),
            _code(_shown(_default(field))),
            _meaning(field),
        )
        for name, field in its_type.model_fields.items()
    )
    return _table(("Setting", "Environment variable", "Flag", "Default", "Meaning"), rows)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    cells = (" | ".join(cell.replace("|", r"\|") for cell in line) for line in lines)
    return "".join(f"| {line} |\n" for line in cells)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _shown(default: object) -> str:
    if default is None or default == {}:
        return ""
    return default if isinstance(default, str) else json.dumps(default)


# ---- settings ----


def sections() -> Iterator[tuple[str, type[Section]]]:
    """The groups of settings and their types, in the order of the settings."""
    for name, field in Settings.model_fields.items():
        its_type: Any = field.annotation
        yield name, its_type


def _heading(section: type[Section]) -> str:
    """The section's docstring as part of a sentence."""
    text = (section.__doc__ or "").strip().rstrip(".")
    return text[:1].lower() + text[1:]


def _default(field: FieldInfo) -> Any:  # noqa: ANN401  # of any type
    default = field.get_default(call_default_factory=True)
    return default.as_posix() if isinstance(default, Path) else default


def _meaning(field: FieldInfo) -> str:
    """The description, and the values that are allowed where it does not say so itself."""
    meaning = field.description or ""
    allowed = [
        text.format(getattr(limit, bound))
        for limit in field.metadata
        for bound, text in _LIMITS.items()
        if hasattr(limit, bound)
    ]
    if get_origin(field.annotation) is Literal:
        allowed.append(f"one of {', '.join(get_args(field.annotation))}")
    return "; ".join([meaning, *allowed])


# ---- options of the commands ----


def _flags_by_setting() -> dict[str, str]:
    """By setting, its flag; with the command in front where no other command has it."""
    commands: dict[str, list[str]] = defaultdict(list)
    flags: dict[str, click.Option] = {}
    for command, option in _options():
        setting = _setting_of(option)
        if setting is not None:
            commands[setting].append(command)
            flags[setting] = option
    return {
        setting: _flag(option, commands[setting][0] if len(commands[setting]) == 1 else "")
        for setting, option in flags.items()
    }


def _other_flags() -> Iterator[tuple[str, ...]]:
    """Command or commands, flag, default and meaning of the options that set no setting."""
    commands: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for command, option in _options():
        if _setting_of(option) is None:
            meaning = (option.help or "").strip()
            commands[_flag(option), _option_default(option), meaning].append(_code(command))
    everywhere = len({command for command, _ in _options()})
    for (flag, default, meaning), names in commands.items():
        where = "every command" if len(names) == everywhere else ", ".join(names)
        yield where, flag, default, meaning


def _options() -> Iterator[tuple[str, click.Option]]:
    """Every option with its command's name, without --help."""
    for name, command in _commands("", cli):
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield name, parameter


def _commands(prefix: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(f"{prefix}{name} ", command)
        else:
            yield f"{prefix}{name}", command


def _setting_of(option: click.Option) -> str | None:
    """The setting that an option sets; None if it sets none."""
    if option.opts == ["-X"]:
        return MAP_OF_PROPERTIES
    section, separator, name = (option.name or "").partition("__")
    return f"{section}.{name}" if separator else None


def _flag(option: click.Option, command: str = "") -> str:
    """The option as it is typed, in all its spellings."""
    value = "" if option.is_flag else f" {_placeholder(option)}"
    spellings = [*option.opts, *option.secondary_opts]
    return ", ".join(_code(f"{command} {name}{value}".strip()) for name in spellings)


def _placeholder(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.DateTime):
        return "TIME"
    return re.sub(r"\W", "", option.type.name).upper()


def _option_default(option: click.Option) -> str:
    if option.secondary_opts:
        return _code(option.opts[0] if option.default else option.secondary_opts[0])
    shown = option.show_default and not option.is_flag
    return _code(str(option.default)) if shown else ""


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content)
