"""Settings: defaults < config.yaml < environment < flags.

What can be set is in `sections.py`; where the values come from is here, in the only module that
reads the environment. A setting `section.name` is `section: {name: …}` in `config.yaml` and
`CHURNSTREAM_SECTION__NAME` in the environment.
"""

import difflib
import os
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from churnstream.errors import ConfigurationError
from churnstream.sections import (
    ConsumerSettings,
    DashboardSettings,
    KafkaSettings,
    LogSettings,
    MetricsSettings,
    ModelSettings,
    ProducerSettings,
    Section,
    SummarySettings,
    TopicSettings,
)

__all__ = [
    "DEFAULT_FILE",
    "PREFIX",
    "ConsumerSettings",
    "DashboardSettings",
    "KafkaSettings",
    "LogSettings",
    "MetricsSettings",
    "ModelSettings",
    "ProducerSettings",
    "Section",
    "Settings",
    "SummarySettings",
    "TopicSettings",
    "load",
    "variable",
]

DEFAULT_FILE = Path("config.yaml")
PREFIX = "CHURNSTREAM_"


class Settings(BaseSettings):
    """Every setting of churnstream, frozen."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        hide_input_in_errors=True,
    )
    _file: ClassVar[Path | None] = None

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    producer: ProducerSettings = ProducerSettings()
    consumer: ConsumerSettings = ConsumerSettings()
    model: ModelSettings = ModelSettings()
    summary: SummarySettings = SummarySettings()
    metrics: MetricsSettings = MetricsSettings()
    dashboard: DashboardSettings = DashboardSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="before")
    @classmethod
    def _without_empty_sections(cls, sections: dict[str, Any]) -> dict[str, Any]:
        """A section whose settings are all commented out is null in YAML."""
        return {name: values for name, values in sections.items() if values is not None}

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
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, cls._file)


def load(file: Path | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """Merge the sources into one `Settings`.

    Args:
        file: A YAML file; None reads `config.yaml` in the working folder if there is one.
        flags: Values from the command line, by section and name.

    Raises:
        ConfigurationError: A file cannot be read, or a setting is unknown or out of range.
    """
    if file is not None and not file.is_file():
        raise ConfigurationError(f"no configuration file at {file}; see --config")
    _refuse_unknown_variables()
    source = file or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    # pydantic-settings takes the file from the class, so each call gets a class of its own.
    bound = type("Settings", (Settings,), {"_file": source, "__module__": __name__})
    try:
        return bound(**(flags or {}))  # type: ignore[no-any-return]
    except ValidationError as error:
        raise ConfigurationError(_in_words(error)) from error
    except (SettingsError, yaml.YAMLError, OSError, ValueError, TypeError, AttributeError) as error:
        where = source or "the environment"
        raise ConfigurationError(
            f"settings from {where} cannot be read: {' '.join(str(error).split())}"
        ) from error


def variable(section: str, name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{section}__{name}".upper()


def _refuse_unknown_variables() -> None:
    """A misspelt variable would otherwise be ignored in silence."""
    known = {f"{PREFIX}{section}".upper() for section in Settings.model_fields}
    for section, field in Settings.model_fields.items():
        section_type = field.annotation
        assert isinstance(section_type, type)  # noqa: S101  # for the type checker
        assert issubclass(section_type, Section)  # noqa: S101
        known |= {variable(section, name) for name in section_type.model_fields}
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            close = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ConfigurationError(f"unknown environment variable {name}{hint}")


def _in_words(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    setting = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "there is no such setting; config.yaml in the repository lists all"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"setting {setting}: {message[:1].lower()}{message[1:]}{more}"
