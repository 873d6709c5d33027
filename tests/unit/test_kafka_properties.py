"""Each property of the client library is allowed on purpose, limited, or rejected with a reason."""

import ctypes
from pathlib import Path

import confluent_kafka
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from churnstream.cli import cli
from churnstream.connection_settings import KafkaSettings
from churnstream.errors import BrokerUnreachableError, ConfigurationError
from churnstream.kafka.admin import Admin
from churnstream.kafka.properties import LIMITS, REJECTED, check_properties
from churnstream.kafka.writer import Writer
from fakes import reader_of

NOBODY = "127.0.0.1:1"

# Security, and tuning that costs speed or memory at worst.
_FREE = """
    batch.num.messages broker.address.family broker.address.ttl builtin.features
    check.crcs client.dns.lookup client.id client.rack client.software.name compression.codec
    compression.level compression.type connections.max.idle.ms consume.callback.max.messages
    coordinator.query.interval.ms debug enable.metrics.push enable.random.seed
    enable.sasl.oauthbearer.unsecure.jwt enable.sparse.connections
    enable.ssl.certificate.verification fetch.max.bytes fetch.message.max.bytes
    https.ca.location https.ca.pem log.connection.close log.thread.name
    log_level max.in.flight max.in.flight.requests.per.connection max.partition.fetch.bytes
    max.poll.records message.copy.max.bytes
    metadata.request.timeout.ms produce.offset.report queue.buffering.backpressure.threshold
    queued.max.messages.kbytes queued.min.messages reconnect.backoff.jitter.ms sasl.kerberos.keytab
    sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin sasl.kerberos.principal
    sasl.kerberos.service.name sasl.mechanism sasl.mechanisms sasl.oauthbearer.assertion.algorithm
    sasl.oauthbearer.assertion.claim.aud sasl.oauthbearer.assertion.claim.exp.seconds
    sasl.oauthbearer.assertion.claim.iss sasl.oauthbearer.assertion.claim.jti.include
    sasl.oauthbearer.assertion.claim.nbf.seconds sasl.oauthbearer.assertion.claim.sub
    sasl.oauthbearer.assertion.file sasl.oauthbearer.assertion.jwt.template.file
    sasl.oauthbearer.assertion.private.key.file sasl.oauthbearer.assertion.private.key.passphrase
    sasl.oauthbearer.assertion.private.key.pem sasl.oauthbearer.client.credentials.client.id
    sasl.oauthbearer.client.credentials.client.secret sasl.oauthbearer.client.id
    sasl.oauthbearer.client.secret sasl.oauthbearer.config sasl.oauthbearer.extensions
    sasl.oauthbearer.grant.type sasl.oauthbearer.metadata.authentication.type
    sasl.oauthbearer.method sasl.oauthbearer.scope sasl.oauthbearer.sub.claim.name
    sasl.oauthbearer.token.endpoint.url sasl.password sasl.username security.protocol
    share.acknowledgement.mode socket.blocking.max.ms socket.connection.setup.timeout.ms
    socket.keepalive.enable socket.nagle.disable socket.receive.buffer.bytes
    socket.send.buffer.bytes ssl.ca.certificate.stores ssl.ca.location ssl.ca.pem
    ssl.certificate.location ssl.certificate.pem ssl.cipher.suites ssl.crl.location ssl.curves.list
    ssl.endpoint.identification.algorithm ssl.engine.id ssl.engine.location ssl.key.location
    ssl.key.password ssl.key.pem ssl.keystore.location ssl.keystore.password ssl.providers
    ssl.sigalgs.list sticky.partitioning.linger.ms topic.metadata.refresh.fast.cnt
    topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.sparse
"""
ALLOWED = set(_FREE.split())
# What the Python client adds to those of the C library.
OF_PYTHON = {"default.topic.config", "logger", "oauth_cb", "on_commit", "on_delivery"}


def _library() -> ctypes.CDLL:
    packages = Path(confluent_kafka.__file__).parents[1]
    (file,) = packages.glob("confluent_kafka.libs/librdkafka*")
    return ctypes.CDLL(str(file))


def _with_a_value(kind: str) -> set[str]:
    """Names of properties that have a default, hidden ones included."""
    library, count = _library(), ctypes.c_size_t()
    make, dump = library[f"rd_kafka_{kind}_new"], library[f"rd_kafka_{kind}_dump"]
    make.restype = ctypes.c_void_p
    dump.restype = ctypes.POINTER(ctypes.c_char_p)
    dump.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)]
    pairs = dump(make(), ctypes.byref(count))
    return {(pairs[i] or b"").decode() for i in range(0, count.value, 2)}


def _documented(folder: Path) -> set[str]:
    """Names of properties in the table that the library writes for its own documentation."""
    libc, file = ctypes.CDLL(None), folder / "properties.md"
    libc.fopen.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(libc.fopen(bytes(file), b"w"))
    _library().rd_kafka_conf_properties_show(stream)
    libc.fclose(stream)
    rows = [line.split("|")[0].strip() for line in file.read_text().splitlines() if "|" in line]
    return {name for name in rows if name != "Property" and not name.startswith("--")}


def test_every_property_is_decided_upon(tmp_path: Path) -> None:
    """A release of the library with another property asks for a decision on it."""
    known = _with_a_value("conf") | _with_a_value("topic_conf") | _documented(tmp_path) | OF_PYTHON

    assert len(known) > 190
    assert known == ALLOWED | REJECTED.keys() | LIMITS.keys()
    assert not ALLOWED & REJECTED.keys()
    assert not ALLOWED & LIMITS.keys()
    assert not LIMITS.keys() & REJECTED.keys()


@pytest.mark.parametrize("prefix", ["", "topic.", "topic.topic."])
@pytest.mark.parametrize("name", sorted(REJECTED))
def test_what_a_guarantee_rests_on_is_rejected_with_the_reason(name: str, prefix: str) -> None:
    """Under each of its names, whatever the value, and before anybody is asked for anything."""
    for value in ("", "1", "latest", 1, True):
        with pytest.raises(ConfigurationError) as caught:
            Admin(KafkaSettings(brokers=NOBODY, client={prefix + name: value}))

        assert str(caught.value) == f"kafka.client must not set {prefix}{name}: {REJECTED[name]}"


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_values_at_which_work_stands_still_are_rejected(name: str) -> None:
    """A limited property takes whole numbers within its limits."""
    least, most, why = LIMITS[name]
    within: list[str | int | float | bool] = [least, most, str(least), str(most)]
    beyond: list[str | int | float | bool] = [
        least - 1,
        most + 1,
        str(most + 1),
        f"0x{least:x}",
        f"{least}ms",
        1.5,
        True,
        "",
    ]

    for value in within:
        check_properties({name: value})
    for value in beyond:
        with pytest.raises(ConfigurationError, match=why):
            check_properties({name: value})


@pytest.mark.parametrize(
    "name", ["acks\0", "acks\0x", " acks", "", "sasl.password\n", "acks\ud800"]
)
def test_a_name_that_the_library_would_cut_off_is_rejected(name: str) -> None:
    """The library reads a name up to its first null byte."""
    with pytest.raises(ConfigurationError, match="no name of a property"):
        check_properties({name: "1"})


def _made(client: dict[str, str | int | float | bool]) -> None:
    """Make each kind of client with these properties."""
    settings = KafkaSettings(brokers=NOBODY, client=client, startup_timeout=0.01)
    with pytest.raises(BrokerUnreachableError):
        Admin(settings)
    Writer(settings)
    Writer(settings, "someone")
    for protocol in ("classic", "consumer"):
        reader_of(settings, "topic", "group", protocol=protocol).close()


@pytest.mark.parametrize(
    "name", sorted(ALLOWED | LIMITS.keys() | {"unheard.of", "topic.unheard.of"})
)
@pytest.mark.parametrize("value", ["", "nonsense", "-7", "99999999999", "\0", "\udcff", True])
def test_a_value_that_the_library_does_not_take_is_a_matter_of_settings(
    name: str, value: str | bool
) -> None:
    """Whoever is the first to find fault with it, the exception is ours, and shows no value."""
    said = "kafka.client"
    try:
        _made({name: value})
    except ConfigurationError as error:
        said = str(error)
    assert "kafka.client" in said
    assert said.isprintable()


@given(st.text(max_size=12), st.text(max_size=5) | st.integers() | st.booleans())
def test_anything_as_a_property_is_an_error_of_ours_or_none(
    name: str, value: str | int | bool
) -> None:
    """Names and values at random never end in another exception."""
    with pytest.raises((BrokerUnreachableError, ConfigurationError)) as caught:
        Admin(KafkaSettings(brokers=NOBODY, client={name: value}, startup_timeout=0.01))

    assert str(caught.value).isprintable()


@pytest.mark.parametrize("source", ["flag", "file", "environment"])
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("auto.offset.reset", "latest", "a new group begins with the first event"),
        ("partition.assignment.strategy", "range", "cooperative-sticky"),
        ("session.timeout.ms", "1", "a whole number from 3000"),
        ("unheard.of", "1", "No such configuration property"),
        ("compression.type", "best", "Invalid value"),
    ],
)
def test_a_command_says_it_in_one_line(
    source: str, name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Wherever the property comes from."""
    monkeypatch.chdir(tmp_path)
    arguments = ["topics", "create", "--broker", NOBODY]
    if source == "flag":
        arguments += ["-X", f"{name}={value}"]
    elif source == "file":
        Path("config.yaml").write_text(f"kafka:\n  client:\n    {name}: {value!r}\n")
    else:
        monkeypatch.setenv("CHURNSTREAM_KAFKA__CLIENT", f'{{"{name}": "{value}"}}')

    result = CliRunner().invoke(cli, arguments)

    assert isinstance(result.exception, ConfigurationError)
    assert said in str(result.exception)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize(
    "command", ["dashboard", "drift", "evaluate", "health", "train", "consume"]
)
def test_every_command_says_it_before_anything_else(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also one that would look for a model first, or would make its clients in the background."""
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("kafka: {client: {topic.acks: 0}}\n")

    result = CliRunner().invoke(cli, [command])

    assert isinstance(result.exception, ConfigurationError)
    assert "topic.acks" in str(result.exception)


@pytest.mark.parametrize("extra", ["unheard.of=1", "max.poll.interval.ms=60000"])
def test_the_page_does_not_open_with_properties_that_no_client_takes(extra: str) -> None:
    """It would otherwise be told in the browser alone."""
    wrong = ["--port", "0", "-X", "session.timeout.ms=200000", "-X", extra]

    result = CliRunner().invoke(cli, ["dashboard", *wrong])

    assert isinstance(result.exception, ConfigurationError)
