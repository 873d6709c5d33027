"""The settings that say how to reach the broker and the schema registry."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Section(BaseModel):
    """A group of settings: frozen, and a name that it does not know is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


class KafkaSettings(Section):
    """How to reach the broker."""

    brokers: str = Field("127.0.0.1:9092", min_length=1, description="HOST:PORT, comma-separated")
    startup_timeout: float = Field(
        10.0, gt=0, description="seconds to wait for a broker's first answer"
    )
    client: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        repr=False,  # it may hold a password
        description="librdkafka properties, for SASL, TLS and tuning; never printed",
    )

    @field_validator("client", mode="before")
    @classmethod
    def _may_be_empty(cls, properties: object) -> object:
        """A list of properties that are all commented out is null in YAML."""
        return {} if properties is None else properties


class SchemaRegistrySettings(Section):
    """The registry with the schemas of records, for `source: format` other than json."""

    url: str | None = Field(
        None,
        pattern="^https?://",
        repr=False,  # it may hold a password
        description="where it is, as http://127.0.0.1:8081; several comma-separated",
    )
    user: str | None = Field(None, min_length=1, description="for basic authentication")
    password: str | None = Field(None, repr=False, description="the user's; never printed")
    token: str | None = Field(
        None, min_length=1, repr=False, description="bearer token, in place of them; never printed"
    )
    ca_file: Path | None = Field(None, description="certificates to trust, PEM; none: well-known")
    certificate_file: Path | None = Field(None, description="our own certificate, PEM")
    key_file: Path | None = Field(None, description="its key, PEM")
    register_schemas: bool = Field(
        True, description="register the schemas of what is written; no: look them up only"
    )

    @model_validator(mode="after")
    def _has_one_identity(self) -> "SchemaRegistrySettings":
        if self.token and (self.user or self.password):
            raise ValueError("token stands in place of user and password; give one of the two")
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password belong together")
        return self
