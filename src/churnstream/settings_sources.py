"""Where the values of settings come from: defaults < config.yaml < environment < flags.

What can be set is declared in `settings.py`; this is the only module that reads the environment. A
setting `section.name` is `section: {name: …}` in `config.yaml` and `CHURNSTREAM_SECTION__NAME` in
the environment.
"""

import difflib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, get_origin

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from churnstream import config_file
from churnstream.config_file import ConfigFile, Names
from churnstream.connection_settings import Section
from churnstream.errors import ConfigurationError
from churnstream.settings import Settings

DEFAULT_FILE = Path("config.yaml")
PREFIX = "CHURNSTREAM_"

# Kubernetes gives a container the addresses of every Service of its namespace, and one named like
# us looks like our settings: {NAME}_SERVICE_HOST, {NAME}_SERVICE_PORT[_…], {NAME}_PORT[_…].
_OF_A_SERVICE = re.compile(r".*_SERVICE_(HOST|PORT(_\w+)?)|.*_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?")
_AS_JSON: Mapping[Any, type] = {dict: dict, tuple: list}  # by the type of a setting
_PORT_OF_A_SERVICE = re.compile(r"(tcp|udp|sctp)://.*")


class _Sources(Settings, BaseSettings):
    """Every setting, filled in from all sources."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )
    _file: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags win over the environment, and that over the file."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, dict(cls._file))


def load(file: Path | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """Merge the sources into one `Settings`.

    Args:
        file: A YAML file; None reads `config.yaml` in the working folder if there is one.
        flags: Values from the command line, by section and name.

    Raises:
        ConfigurationError: A file cannot be read, or a setting is unknown or out of range.
    """
    flags, path = flags or {}, file or DEFAULT_FILE
    found = _read(path, is_named=file is not None)
    _check_variables()
    # pydantic-settings takes the file from the class, so each call gets a class of its own.
    bound = type("Settings", (_Sources,), {"_file": found.values, "__module__": __name__})
    try:
        return bound(**flags)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise ConfigurationError(_in_words(error, flags, path, found.lines)) from error


def variable(section: str, name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{section}__{name}".upper()


def _read(path: Path, *, is_named: bool) -> ConfigFile:
    if not os.path.lexists(path):
        if is_named:
            raise ConfigurationError(f"no configuration file at {path}; see --config")
        return ConfigFile({}, {})
    found = config_file.read_config(path)
    for section in Settings.model_fields:
        _check_holds_settings(path, found, section)
    _check_holds_settings(path, found, "kafka", "client")
    return found


def _check_holds_settings(path: Path, found: ConfigFile, *names: str) -> None:
    """Text in place of settings would give way in silence to those of another source."""
    value: Any = found.values
    for name in names:
        value = value.get(name)
        if value is None:
            return
    if not isinstance(value, dict):
        setting = ".".join(names)
        raise ConfigurationError(
            f"{path}, line {found.lines[names]}: setting {setting} must hold settings, one a line"
        )


def _check_variables() -> None:
    """Reject what would otherwise be ignored in silence, or be quoted by a parser's error."""
    known = dict(_variables())
    for name, value in os.environ.items():
        upper = name.upper()
        if not upper.startswith(PREFIX):
            continue
        if upper in known:
            _check_json(name, value, known[upper])
        elif not _is_of_a_service(upper, value):
            close = difflib.get_close_matches(upper, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ConfigurationError(f"unknown environment variable {name}{hint}")


def _variables() -> Iterator[tuple[str, type | None]]:
    """Every variable that sets something; dict or list where it takes JSON, None for text."""
    for section, field in Settings.model_fields.items():
        yield f"{PREFIX}{section}".upper(), dict
        section_type = field.annotation
        assert isinstance(section_type, type)  # noqa: S101  # for the type checker
        assert issubclass(section_type, Section)  # noqa: S101
        for name, its in section_type.model_fields.items():
            yield variable(section, name), _AS_JSON.get(get_origin(its.annotation))


def _check_json(name: str, value: str, expected: type | None) -> None:
    if expected is None:
        return
    try:
        found = json.loads(value, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, expected):
        form = "object, with no name twice" if expected is dict else "array"
        raise ConfigurationError(f"environment variable {name} must be a JSON {form}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError
    return values


def _is_of_a_service(name: str, value: str) -> bool:
    """Whether Kubernetes, and nobody who misspelt a setting, has put this variable there."""
    is_port = name.endswith("_PORT") and _PORT_OF_A_SERVICE.fullmatch(value)
    return bool(is_port or _OF_A_SERVICE.fullmatch(name))


def _in_words(
    error: ValidationError, flags: Mapping[str, Any], path: Path, lines: Mapping[Names, int]
) -> str:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    first, names = faults[0], _names(faults[0]["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such setting; config.yaml in the repository lists all"
    others = len({_names(fault["loc"]) for fault in faults}) - 1
    more = f" (and {others} more)" if others else ""
    where = _source(names, flags, path, lines)
    if not message[:2].isupper():
        message = f"{message[:1].lower()}{message[1:]}"
    return f"{where}setting {'.'.join(names)}: {message}{more}"


def _names(location: tuple[int | str, ...]) -> Names:
    """The setting at fault, without the members of a union that pydantic has tried."""
    names = [str(part) for part in location]
    while names[-1] in ("str", "int", "float", "bool", "[key]"):
        names.pop()
    return tuple(names)


def _source(names: Names, flags: Mapping[str, Any], path: Path, lines: Mapping[Names, int]) -> str:
    """Where a value came from, as the beginning of a message: "" if from a flag."""
    own = variable(*names[:2]) if len(names) > 1 else ""
    if _has(flags, names):
        return ""
    if own in map(str.upper, os.environ):
        return f"{own}: "
    known = (lines[names[:depth]] for depth in range(len(names), 0, -1) if names[:depth] in lines)
    line = next(known, None)
    return f"{path}, line {line}: " if line else ""


def _has(values: object, names: Names) -> bool:
    for name in names:
        if not isinstance(values, Mapping) or name not in values:
            return False
        values = values[name]
    return True
