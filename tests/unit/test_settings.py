import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from churnstream.errors import ConfigurationError
from churnstream.settings import Settings, named_after
from churnstream.settings_sources import PREFIX, load, variable


@pytest.fixture(autouse=True)
def _empty_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without config.yaml, and an environment that sets nothing."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)


def config_file(text: str, name: str = "settings.yaml") -> Path:
    """A YAML file in the working folder."""
    path = Path(name)
    path.write_text(text)
    return path


def fault(file: Path | None = None, flags: dict[str, Any] | None = None) -> str:
    """What is wrong with these settings, in one line."""
    with pytest.raises(ConfigurationError) as caught:
        load(file, flags)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


# ---- which source wins ----


def test_without_any_source_the_defaults_count() -> None:
    """No file, no variable and no flag is a complete configuration."""
    assert load().model_dump() == Settings.model_construct().model_dump()


def test_a_later_source_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaults lose to the file, the file to the environment, the environment to flags."""
    file = config_file("consumer: {group: file, batch_size: 2, max_messages: 2, instance: file}")
    monkeypatch.setenv("CHURNSTREAM_CONSUMER__BATCH_SIZE", "3")
    monkeypatch.setenv("CHURNSTREAM_CONSUMER__MAX_MESSAGES", "3")

    own = load(file, {"consumer": {"max_messages": 4}}).consumer

    assert own.mode == "streaming"
    assert (own.group, own.instance) == ("file", "file")
    assert own.batch_size == 3
    assert own.max_messages == 4


def test_the_working_folders_file_is_read_by_itself() -> None:
    """`config.yaml` counts where no other file is named."""
    config_file("consumer: {group: here}", "config.yaml")

    assert load().consumer.group == "here"


def test_a_named_file_takes_the_place_of_the_working_folders() -> None:
    """With --config, `config.yaml` does not count."""
    config_file("consumer: {group: here, instance: here}", "config.yaml")

    own = load(config_file("consumer: {group: named}")).consumer

    assert (own.group, own.instance) == ("named", "0")


def test_loading_leaves_no_trace() -> None:
    """Settings of one file do not leak into the next load."""
    load(config_file("consumer: {group: first}"))

    assert load().consumer.group == "churnstream"


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "{}", "consumer: {}"])
def test_a_file_may_set_nothing(text: str) -> None:
    """An empty file leaves everything at its default."""
    assert load(config_file(text)).model_dump() == load().model_dump()


def test_a_section_whose_settings_are_all_commented_out_is_empty() -> None:
    """A bare `consumer:` is what remains when somebody comments out all below it."""
    assert load(config_file("consumer:\n#  group: mine\n")).consumer.group == "churnstream"


def test_names_of_variables_ignore_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable in lower case is the same setting."""
    monkeypatch.setenv("churnstream_consumer__group", "lower")

    assert load().consumer.group == "lower"


def test_every_setting_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting has a variable, which takes the setting's default as text."""
    defaults = Settings.model_construct().model_dump(mode="json")
    for section, values in defaults.items():
        for name, value in values.items():
            if value is not None:
                text = value if isinstance(value, str) else json.dumps(value)
                monkeypatch.setenv(variable(section, name), text)

    assert load().model_dump(mode="json") == defaults


def test_a_section_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A section's variable takes JSON, below the variables of single settings."""
    monkeypatch.setenv("CHURNSTREAM_CONSUMER", '{"group": "section", "instance": "section"}')
    monkeypatch.setenv("CHURNSTREAM_CONSUMER__GROUP", "single")

    own = load().consumer

    assert (own.group, own.instance) == ("single", "section")


def test_properties_of_the_client_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source adds librdkafka properties to those of the others."""
    file = config_file("kafka: {client: {security.protocol: SSL, linger.ms: 1}}")
    monkeypatch.setenv("CHURNSTREAM_KAFKA__CLIENT", '{"linger.ms": 2, "acks": "all"}')

    client = load(file, {"kafka": {"client": {"acks": "1"}}}).kafka.client

    assert client == {"security.protocol": "SSL", "linger.ms": 2, "acks": "1"}


# ---- what is rejected ----


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("kafka", "brokers", ""),
        ("kafka", "startup_timeout", 0),
        ("topics", "partitions", 0),
        ("topics", "replication_factor", 0),
        ("producer", "mode", "sometimes"),
        ("producer", "events_per_sec", 0),
        ("producer", "events_per_sec", "nan"),
        ("producer", "max_events", 0),
        ("producer", "duration", -1),
        ("producer", "batch_size", 0),
        ("producer", "batch_size", "many"),
        ("producer", "resume", "perhaps"),
        ("consumer", "mode", "sometimes"),
        ("consumer", "group", ""),
        ("consumer", "instance", ""),
        ("consumer", "delivery", "at-most-once"),
        ("consumer", "group_protocol", "modern"),
        ("consumer", "batch_size", 0),
        ("consumer", "max_messages", -1),
        ("summary", "top_k", -1),
        ("log", "level", "loud"),
        ("log", "format", "xml"),
    ],
)
def test_a_value_out_of_range_is_named(section: str, name: str, value: Any) -> None:
    """The rejection names the setting and what it may be."""
    text = fault(flags={section: {name: value}})

    assert text.startswith(f"setting {section}.{name}: ")


@pytest.mark.parametrize("rate", ["inf", "1e400"])
def test_an_infinite_rate_is_rejected(rate: str) -> None:
    """No number of events a second is without end."""
    assert "producer.events_per_sec" in fault(flags={"producer": {"events_per_sec": rate}})


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_training_cannot_take_is_rejected(seed: int) -> None:
    """Random generators take 32 bits."""
    assert "model.seed" in fault(flags={"model": {"seed": seed}})


@pytest.mark.parametrize(
    "pair",
    [("input", "output"), ("input", "deadletter"), ("input", "checkpoint"), ("output", "notified")],
)
def test_the_five_topics_are_distinct(pair: tuple[str, str]) -> None:
    """A topic that is its own output would be read for ever."""
    text = fault(flags={"topics": dict.fromkeys(pair, "same")})

    assert text == (
        "setting topics: input, output, deadletter, checkpoint and notified must be five topics"
    )


def test_the_newest_topic_is_none_of_the_others() -> None:
    """Compacted, each of them would lose records."""
    text = fault(flags={"topics": {"output": "same", "newest": "same"}})

    assert text == "setting topics: newest must be a topic of its own"


def test_several_faults_are_counted() -> None:
    """The first fault is named, the rest are counted."""
    text = fault(flags={"consumer": {"batch_size": 0, "group": "", "instance": ""}})

    assert text.startswith("setting consumer.")
    assert text.endswith(" (and 2 more)")


@pytest.mark.parametrize(
    ("text", "name"),
    [("consumer: {gruop: x}", "consumer.gruop"), ("consumers: {group: x}", "consumers")],
)
def test_a_setting_that_does_not_exist_is_rejected(text: str, name: str) -> None:
    """A misspelt name in the file is no setting."""
    assert f"setting {name}: there is no such setting" in fault(config_file(text))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CHURNSTREAM_CONSUMER__GRUOP", "CHURNSTREAM_CONSUMER__GROUP"),
        ("CHURNSTREAM_CONSUMER_GROUP", "CHURNSTREAM_CONSUMER__GROUP"),
        ("CHURNSTREAM_KAFKA__BROKER", "CHURNSTREAM_KAFKA__BROKERS"),
    ],
)
def test_a_misspelt_variable_is_rejected(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    """A variable that is no setting is named, with the one that was meant."""
    monkeypatch.setenv(name, "x")

    assert fault() == f"unknown environment variable {name}; did you mean {meant}?"


def test_a_file_that_does_not_exist_is_rejected() -> None:
    """A named file must be there."""
    assert "no configuration file at nowhere.yaml" in fault(Path("nowhere.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "consumer: [",
        "- consumer",
        "consumer",
        "5: 5",
        "consumer: {5: 5}",
        "consumer: 5",
        "a: b: c",
        "\x00",
        "consumer: !!python/object/apply:os.getcwd []",
        "kafka: {client: [1]}",
        "kafka: {client: [a: b]}",
        "kafka: {client: a}",
        "? [a, b]\n: c",
        "null: {}",
        "a: 1\n---\nb: 2",
        "kafka: &a {<<: *a}",
        "kafka: {<<: text}",
        "kafka: &a [*a]",
        "[" * 5000,
    ],
)
def test_a_file_of_another_form_is_rejected(text: str) -> None:
    """YAML that is broken, or holds anything but sections of settings, is one clear line."""
    assert len(fault(config_file(text))) < 300


def test_a_file_that_is_no_text_is_rejected() -> None:
    """Bytes that are not UTF-8 are no configuration, and the rejection names the file."""
    path = Path("settings.yaml")
    path.write_bytes(b"consumer: \xff")

    assert "settings.yaml" in fault(path)


@pytest.mark.parametrize("text", ["{", "[]", "5"])
def test_a_section_in_the_environment_must_be_an_object(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Anything else is rejected."""
    monkeypatch.setenv("CHURNSTREAM_CONSUMER", text)

    assert "consumer" in fault().lower()


# ---- what settings promise ----


@pytest.mark.parametrize(
    "text", ["10:30", "08:30", "0123", "1_000", "0x1F", "2026-12-01T00:00:00Z", "yes", "5", "1e3"]
)
def test_a_value_stays_the_text_that_was_written(text: str) -> None:
    """A password or a timestamp that looks like a number, a date or a flag is taken as it is."""
    file = config_file(
        f"kafka: {{client: {{sasl.password: {text}}}}}\nconsumer:\n  start: {text}\n"
    )

    settings = load(file)

    assert settings.kafka.client == {"sasl.password": text}
    assert settings.consumer.start == text


def test_values_get_the_type_of_their_setting() -> None:
    """Numbers, flags, lists and null mean what the setting says."""
    text = """
producer: {resume: no, events_per_sec: 1e3, max_events: null}
model: {trusted_types: [a.B, "c.D"], threshold: 0.5}
topics: &t {partitions: 6}
"""
    settings = load(config_file(text))

    own = settings.producer
    assert (own.resume, own.events_per_sec, own.max_events) == (False, 1000.0, None)
    assert settings.model.trusted_types == ("a.B", "c.D")
    assert settings.model.threshold == 0.5
    assert settings.topics.partitions == 6


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "topics:\n  input: a\n  input: b",
            "line 3: setting topics.input stands in line 2 already",
        ),
        ("log: {}\nconsumer: {}\nLog: {}", "line 3: setting Log stands in line 1 already"),
        (
            "kafka:\n  client:\n    acks: 1\n    linger.ms: 1\n    acks: all",
            "line 5: setting kafka.client.acks stands in line 3 already",
        ),
        ("log: {}\nconsumer:\n  batch_size: 0", "line 3: setting consumer.batch_size: "),
        ("log:\n  levle: info", "line 2: setting log.levle: there is no such setting"),
        ("log: {}\nlogs: {}", "line 2: setting logs: there is no such setting"),
        ("log:\n\tlevel: info", "line 2, column 1: indent with spaces"),
        ("# list\n- log", "line 2: expected sections of settings"),
        ("log: info", "line 1: setting log must hold settings"),
        ("kafka:\n  client: SSL", "line 2: setting kafka.client must hold settings"),
        ("kafka:\n  client:\n    acks: [1]", "line 3: setting kafka.client.acks: "),
    ],
)
def test_a_fault_in_a_file_is_named_by_its_line(text: str, says: str) -> None:
    """The rejection names file, line and setting; doubled names are found at any depth."""
    flags = {"log": {"format": "json"}, "kafka": {"client": {"acks": "1"}}}

    assert fault(config_file(text)).startswith(f"settings.yaml, {says}")
    if "acks" not in says and "Log" not in says:  # what flags add hides no fault
        assert says in fault(config_file(text), flags)


def test_settings_may_be_shared_by_anchors() -> None:
    """A section may take over that of an anchor, and a repeated name there is none twice."""
    file = config_file("metrics: &m {host: x, port: 1}\ndashboard: {<<: *m, port: 2}\n")

    own = load(file).dashboard

    assert (own.host, own.port) == ("x", 2)


def test_a_file_that_is_a_folder_is_rejected() -> None:
    """The working folder's `config.yaml` is not passed over because it cannot be read."""
    Path("config.yaml").mkdir()

    assert fault() == "config.yaml cannot be read: Is a directory"


def test_a_link_to_nowhere_is_rejected() -> None:
    """A dangling `config.yaml` is a mistake, too."""
    Path("config.yaml").symlink_to("nowhere.yaml")

    assert fault() == "config.yaml cannot be read: No such file or directory"


@pytest.mark.parametrize(
    "value",
    [
        "*geheim",
        "&geheim",
        "&geheim x\n    b: &geheim y",
        "!geheim",
        "!!python/object:geheim x",
        "!geheim!x y",
        "!<geheim> x",
        "!!int geheim",
        "!!timestamp geheim",
        "!!binary geheim=",
        '"geheim',
        '"\\geheim"',
        "geheim: x: y",
        "[geheim]",
        "{geheim: x}",
        "@geheim",
        "%geheim",
        "|geheim",
        ">9geheim",
        "\tgeheim: x",
    ],
)
def test_no_message_of_a_file_quotes_a_value(value: str) -> None:
    """Whatever a password does to the parser, the rejection does not show it."""
    with contextlib.suppress(ConfigurationError):
        load(config_file(f"kafka:\n  client:\n    sasl.password: {value}\n"))
        return
    text = fault(config_file(f"kafka:\n  client:\n    sasl.password: {value}\n"))

    assert text.startswith("settings.yaml, line ")
    assert "geheim" not in text.replace("sasl.password.geheim", "")


@given(st.binary(max_size=60) | st.text("ab:\n -*&!{}[]'\"#|>%@,\t?<", max_size=60).map(str.encode))
def test_any_file_is_read_or_rejected(content: bytes) -> None:
    """Whatever a file holds, it is settings or one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "settings.yaml"
        path.write_bytes(content)
        with contextlib.suppress(ConfigurationError):
            load(path)


SERVICES = {
    "{}_SERVICE_HOST": "10.0.0.1",
    "{}_SERVICE_PORT": "8090",
    "{}_SERVICE_PORT_HTTP": "8090",
    "{}_SERVICE_PORT_HTTP_METRICS": "8090",
    "{}_PORT": "tcp://10.0.0.1:8090",
    "{}_PORT_8090_TCP": "tcp://10.0.0.1:8090",
    "{}_PORT_8090_TCP_PROTO": "tcp",
    "{}_PORT_8090_TCP_PORT": "8090",
    "{}_PORT_8090_TCP_ADDR": "10.0.0.1",
    "{}_PORT_53_UDP": "udp://10.0.0.1:53",
    "{}_PORT_9_SCTP_ADDR": "10.0.0.1",
}


@pytest.mark.parametrize(
    "service",
    ["", "_DASHBOARD", "_KAFKA", "_METRICS", "_KAFKA_0_BROKERS", "_CONSUMER", "_LOG", "__BLUE"],
)
def test_the_addresses_of_services_are_no_settings(
    monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    """What Kubernetes puts there for a Service named like us ends nothing and sets nothing."""
    for name, value in SERVICES.items():
        monkeypatch.setenv(name.format(f"CHURNSTREAM{service}"), value)

    assert load().model_dump() == Settings.model_construct().model_dump()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CHURNSTREAM_METRICS_PORT", "CHURNSTREAM_METRICS__PORT"),
        ("CHURNSTREAM_DASHBOARD_PORT", "CHURNSTREAM_DASHBOARD__PORT"),
        ("CHURNSTREAM_METRICS__HOTS", "CHURNSTREAM_METRICS__HOST"),
    ],
)
def test_a_port_of_nobodys_service_is_a_misspelt_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    """A plain number is what somebody typed; a Service's port is an address."""
    monkeypatch.setenv(name, "9100")

    assert fault() == f"unknown environment variable {name}; did you mean {meant}?"


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("CHURNSTREAM_LOG", "tcp://geheim", "object, with no name twice"),
        ("CHURNSTREAM_KAFKA", '["geheim"]', "object, with no name twice"),
        ("CHURNSTREAM_KAFKA", '{"geheim": 1, "geheim": 2}', "object, with no name twice"),
        ("CHURNSTREAM_KAFKA__CLIENT", '"geheim"', "object, with no name twice"),
        ("CHURNSTREAM_KAFKA__CLIENT", '{"a":' * 5000, "object, with no name twice"),
        ("CHURNSTREAM_MODEL__TRUSTED_TYPES", "geheim", "array"),
        ("CHURNSTREAM_MODEL__TRUSTED_TYPES", '{"geheim": 1}', "array"),
    ],
)
def test_json_in_the_environment_must_be_of_its_form(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, form: str
) -> None:
    """The rejection names the variable and not its value, also where flags set the same."""
    monkeypatch.setenv(name, value)
    flags = {"kafka": {"client": {"a": "b"}}, "log": {"level": "info"}}

    assert fault() == f"environment variable {name} must be a JSON {form}"
    assert fault(flags=flags) == fault()


def test_a_fault_in_the_environment_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a value came from stands in front."""
    monkeypatch.setenv("CHURNSTREAM_CONSUMER__BATCH_SIZE", "0")

    assert fault().startswith("CHURNSTREAM_CONSUMER__BATCH_SIZE: setting consumer.batch_size: ")


def test_settings_are_frozen() -> None:
    """Neither a setting nor a section can be changed."""
    settings = load()

    with pytest.raises(ValidationError, match="frozen"):
        settings.consumer.group = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.consumer = settings.consumer  # type: ignore[misc]


def test_secrets_do_not_show() -> None:
    """Printing the settings, or a rejection of them, shows no property of the client."""
    secret = {"sasl.password": "geheim", "ssl.key.password": "geheim"}

    assert "geheim" not in repr(load(flags={"kafka": {"client": secret}}))
    assert "geheim" not in str(load(flags={"kafka": {"client": secret}}))
    assert "geheim" not in fault(flags={"kafka": {"client": {"sasl.password": ["geheim"]}}})
    assert "geheim" not in fault(flags={"kafka": {"client": "geheim", "brokers": ""}})


def test_secrets_of_a_broken_file_do_not_show() -> None:
    """A rejection of a file that cannot be parsed does not quote its lines."""
    text = "kafka:\n  client:\n    sasl.password: geheim: broken\n"

    assert "geheim" not in fault(config_file(text))


def test_secrets_of_a_broken_variable_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rejection of JSON in the environment does not quote it."""
    monkeypatch.setenv("CHURNSTREAM_KAFKA__CLIENT", '{"sasl.password": "geheim"')

    assert "geheim" not in fault()


@pytest.mark.parametrize(
    "url", ["ftp://x:geheim@host/", "geheim", "http://", "https://geheim@:99999/", "//geheim/"]
)
def test_a_webhook_must_be_a_web_address(url: str) -> None:
    """One that is none is not repeated: it may hold a password."""
    text = fault(flags={"notify": {"url": url}})

    assert text.startswith("setting notify.url: ")
    assert "geheim" not in text


def test_a_webhooks_address_and_secret_do_not_show() -> None:
    """Neither where the settings are printed nor where they are written out."""
    url = "https://user:geheim@hooks.example.com/T0/geheim"
    own = load(flags={"notify": {"url": url, "secret": "geheim-geheim"}}).notify

    assert "geheim" not in f"{own} {own!r} {own.model_dump_json()}"
    assert own.url
    assert str(own.url.get_secret_value()) == url


@pytest.mark.parametrize("file", [None, Path(__file__).parents[2] / "config.yaml"])
def test_names_follow_the_schema(file: Path | None) -> None:
    """Where they are Telco's; a file that lists every default says no more than none."""
    settings = named_after(load(file, {"topics": {"output": "mine"}}), "bank")
    topics = settings.topics
    assert (topics.input, topics.output) == ("bank.raw.customers", "mine")
    assert (topics.deadletter, topics.checkpoint, topics.notified) == (
        "bank.deadletter",
        "bank.producer.checkpoints",
        "bank.churn.notified",
    )
    assert (settings.consumer.group, settings.model.path) == (
        "churnstream-bank",
        "models/bank-churn",
    )


def test_telcos_names_are_the_defaults() -> None:
    """Its own schema changes nothing."""
    assert named_after(load(None), "telco").model_dump() == load(None).model_dump()
