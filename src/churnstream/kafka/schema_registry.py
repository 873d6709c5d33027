"""The registry with the schemas of records, over HTTP."""

import time
import weakref
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog

from churnstream import extras
from churnstream.connection_settings import SchemaRegistrySettings
from churnstream.deadline import Deadline
from churnstream.errors import ConfigurationError, SchemasUnavailableError

log = structlog.get_logger(__name__)

_TIMEOUT = 3.0  # seconds of one request; who polls records asks in between
_PAUSE = 0.5  # seconds between two attempts
_REJECTED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_MAX_REFERENCES = 100
_MAX_SAID = 300


class RegisteredText(NamedTuple):
    """A schema: its kind (AVRO, PROTOBUF or JSON), its text, and the texts that it refers to."""

    kind: str
    text: str
    references: dict[str, str]


class SchemaRegistry:
    """Asks for schemas, and registers ours.

    Args:
        settings: With a URL.

    Raises:
        ConfigurationError: The extra is not installed, or a setting cannot be used.
    """

    def __init__(self, settings: SchemaRegistrySettings) -> None:
        self._settings = settings
        self._where = ", ".join(_without_user(one) for one in (settings.url or "").split(","))
        self._client = _client(settings)
        weakref.finalize(self, self._client.close)  # or its connections stay open in a service
        self._is_down = False

    def wait(self, seconds: float, give_up: Callable[[], bool] = lambda: False) -> None:
        """Wait for its first answer, as for a broker's.

        Raises:
            ConfigurationError: It rejects who we are.
            SchemasUnavailableError: It does not answer in so many seconds.
        """
        deadline = Deadline(seconds)
        while True:
            try:
                self._ask("schema types", self._client.get_schema_types)
            except SchemasUnavailableError as error:
                if isinstance(error.__cause__, _RejectedError):
                    raise ConfigurationError(str(error)) from error
                if deadline.passed or give_up():
                    raise
                time.sleep(_PAUSE)
            else:
                return

    def fetch(self, schema_id: int) -> RegisteredText | None:
        """The schema of an id; None if there is none.

        Raises:
            SchemasUnavailableError: The registry cannot be asked now.
        """
        found = self._ask(f"schema {schema_id}", lambda: self._client.get_schema(schema_id))
        if found is None:
            return None
        return RegisteredText(found.schema_type or "AVRO", found.schema_str, self._texts(found))

    def _texts(self, schema: Any) -> dict[str, str]:  # noqa: ANN401  # the client's own
        """The texts that a schema refers to by their names, each behind those it needs itself."""
        texts: dict[str, str] = {}
        open_references = [*schema.references]
        while open_references:
            if len(texts) > _MAX_REFERENCES:
                raise SchemasUnavailableError(f"a schema refers to over {_MAX_REFERENCES} others")
            reference = open_references.pop()
            get = partial(self._client.get_version, reference.subject, reference.version)
            found = self._ask(f"{reference.subject} version {reference.version}", get)
            if found is None:
                continue  # whoever compiles the schema says what it lacks
            texts = {reference.name: found.schema.schema_str, **texts}
            open_references += found.schema.references
        return texts

    def id_of(self, subject: str, kind: str, text: str) -> int:
        """The id of a schema of ours, which is registered if it may be.

        Raises:
            ConfigurationError: It is not there and may not be registered, or does not go with the
                versions before it.
            SchemasUnavailableError: The registry cannot be asked now.
        """
        from confluent_kafka.schema_registry import Schema

        schema = Schema(text, kind)
        if self._settings.register_schemas:
            ask = partial(self._client.register_schema, subject, schema)
            return int(self._ask(f"subject {subject}", ask))
        look_up = partial(self._client.lookup_schema, subject, schema)
        found = self._ask(f"subject {subject}", look_up)
        if found is None:
            raise ConfigurationError(
                f"the schema registry at {self._where} has no such schema in {subject}, and "
                "--no-register says not to register it; register what `churnstream schemas` shows, "
                "or leave the flag out"
            )
        return int(found.schema_id)

    def _ask(self, what: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401
        """An answer; None if there is no such thing."""
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            answer = call()
        except SchemaRegistryError as error:
            status, said = error.http_status_code, self._safe(error.error_message)
            if status == HTTPStatus.NOT_FOUND:
                answer = None
            elif status in _REJECTED:
                raise self._unavailable(what, f"{status}, {said}") from _RejectedError(said)
            elif HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
                where = f"the schema registry at {self._where}"
                raise ConfigurationError(f"{where} rejects {what}: {status}, {said}") from error
            else:
                raise self._unavailable(what, f"{status}, {said}") from error
        except Exception as error:  # of whatever library it speaks HTTP with
            raise self._unavailable(what, self._safe(str(error) or type(error).__name__)) from error
        if self._is_down:
            self._is_down = False
            log.info("schema_registry_reachable_again", registry=self._where)
        return answer

    def _unavailable(self, what: str, why: str) -> SchemasUnavailableError:
        if not self._is_down:
            self._is_down = True
            log.warning("schema_registry_unavailable", registry=self._where, error=why)
        return SchemasUnavailableError(
            f"asking the schema registry at {self._where} for {what} failed: {why}"
        )

    def _safe(self, text: object) -> str:
        """A text in one line, without what must not be printed."""
        line = " ".join(str(text).split())[:_MAX_SAID]
        for secret in (self._settings.password, self._settings.token):
            line = line.replace(secret, "…") if secret else line
        return line


class _RejectedError(Exception):
    """It does not let us in, which waiting does not change."""


def _client(settings: SchemaRegistrySettings) -> Any:  # noqa: ANN401
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient
    except ImportError as error:
        raise extras.not_installed("the client of schema registries", "registry") from error
    options: dict[str, Any] = {"url": settings.url, "timeout": _TIMEOUT, "max.retries": 0}
    if settings.user:
        options["basic.auth.user.info"] = f"{settings.user}:{settings.password}"
    if settings.token:
        fields = {"bearer.auth.token": settings.token, "bearer.auth.logical.cluster": ""}
        options["bearer.auth.credentials.source"] = "CUSTOM"
        options["bearer.auth.custom.provider.function"] = lambda _: fields
        options["bearer.auth.custom.provider.config"] = {}
    for name, path in (
        ("ssl.ca.location", settings.ca_file),
        ("ssl.certificate.location", settings.certificate_file),
        ("ssl.key.location", settings.key_file),
    ):
        if path:
            options[name] = str(path)
    try:
        return SchemaRegistryClient(options)
    except (OSError, ValueError) as error:  # a certificate among them
        raise ConfigurationError(f"schema_registry in the settings: {error}") from error


def _without_user(url: str) -> str:
    """A URL without user and password."""
    parts = urlsplit(url.strip())
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
