import csv
import gzip
import io
import json
import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import joblib
import numpy as np
import pyarrow as pa
import pytest
import structlog
from pyarrow import parquet
from python_calamine import CalamineWorkbook
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from builders import TELCO, CustomerEvent, customer, decode_event, event_json, write_csv
from churnstream import settings_sources
from churnstream.cli import cli, main
from churnstream.cli.produce import _batch_line
from churnstream.codecs.customer_rows import BUNDLED
from churnstream.errors import BrokerError, ConfigurationError, ModelError
from churnstream.model.features import frame
from churnstream.model.manifest import load
from churnstream.pipeline.producer import BatchResult
from churnstream.settings import Settings
from churnstream.settings_sources import PREFIX

UNREACHABLE = ["--broker", "127.0.0.1:1", "--startup-timeout", "0.1"]


def leaves(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(leaves(cli))
EACH_COMMAND = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


@pytest.fixture(autouse=True)
def _empty_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty folder, an environment that sets nothing, and logging as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


class Answer(NamedTuple):
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


class Run:
    """Runs the command line in this process, as the console script does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str | Path, stdin: bytes = b"") -> Answer:
        """Run the command of these words to its end."""
        self._monkeypatch.setattr(sys, "argv", ["churnstream", *map(str, words)])
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return Answer(int(ended.value.code or 0), out, err)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs commands; see `Run`."""
    return Run(monkeypatch, capsys)


def assert_fails(answer: Answer, code: int, *expected: str) -> None:
    """One clear line on stderr that holds what is expected, nothing on stdout, the exit code."""
    assert answer.err.startswith("Error: ")
    assert answer.err.count("\n") == 1
    for text in expected:
        assert text in answer.err
    assert (answer.code, answer.out) == (code, "")


# ---- help ----


def test_every_command_is_there() -> None:
    """The commands of the first release, by the words that call them."""
    assert {" ".join(words) for words in COMMANDS} >= {
        "audit",
        "batch-predict",
        "broker",
        "consume",
        "dead-letters list",
        "dead-letters replay",
        "demo",
        "health",
        "predict",
        "produce",
        "report",
        "topics create",
        "topics describe",
        "train",
    }


@EACH_COMMAND
def test_every_command_has_help_with_an_example(run: Run, words: tuple[str, ...]) -> None:
    """Help says what a command does, and shows how it is typed."""
    answer = run(*words, "--help")

    assert (answer.code, answer.err) == (0, "")
    assert re.search(
        rf"^  Examples?: .*churnstream {' '.join(words)}", answer.out, re.MULTILINE | re.DOTALL
    )


@EACH_COMMAND
def test_every_option_has_help(words: tuple[str, ...]) -> None:
    """No flag is left for the reader to guess."""
    options = [param for param in COMMANDS[words].params if isinstance(param, click.Option)]

    assert [option.name for option in options if not option.help] == []


def examples(words: tuple[str, ...]) -> list[list[str]]:
    """The commands that a command's help shows."""
    text = COMMANDS[words].help or ""
    return [line.split() for line in re.findall(r"churnstream ([a-z][^|\n]*)", text)]


class _UnderstoodError(Exception):
    """The command line was parsed, and its settings are valid."""


@pytest.mark.parametrize(
    "example", [e for words in COMMANDS for e in examples(words)], ids=" ".join
)
def test_every_example_is_understood(monkeypatch: pytest.MonkeyPatch, example: list[str]) -> None:
    """What help shows can be typed: command, flags and values exist."""
    real = settings_sources.load

    def load_and_end(*args: Any) -> Settings:
        real(*args)
        raise _UnderstoodError

    def end(*args: Any) -> None:
        raise _UnderstoodError

    monkeypatch.setattr(settings_sources, "load", load_and_end)
    monkeypatch.setattr(
        "churnstream.files.open_file.open_file", end
    )  # of init, which has no settings
    with pytest.raises(_UnderstoodError):
        cli.main(example, standalone_mode=False)


def flags_of_settings() -> list[Any]:
    """Each flag that sets a setting, with the command that has it."""
    return [
        pytest.param(option, id=f"{' '.join(words)} {option.opts[0]}")
        for words, command in COMMANDS.items()
        for option in command.params
        if isinstance(option, click.Option) and "__" in (option.name or "")
    ]


COMMANDS_FOLDER = Path(settings_sources.__file__).with_name("cli")
WHERE_NONE_IS_NAMED = {
    "dataset": "the one that the schema was made from; of Telco's the 7,043",
    "schema_file": "customers.yaml, or else Telco's",
}


@pytest.mark.parametrize("option", flags_of_settings())
def test_the_default_in_brackets_is_the_settings_default(option: click.Option) -> None:
    """What help says of a default is what happens without the flag."""
    section, _, name = (option.name or "").partition("__")
    default = getattr(getattr(Settings.model_construct(), section), name)
    stated = re.findall(r"\[([^\]]*)\]", option.help or "")

    if isinstance(default, bool) or (default in (None, ()) and not stated):
        assert stated == []
    elif name in WHERE_NONE_IS_NAMED:
        assert stated == [WHERE_NONE_IS_NAMED[name]]
    else:
        (text,) = stated
        assert text == (f"{default:g}" if isinstance(default, float) else str(default))


def test_no_flag_writes_a_default_by_hand() -> None:
    """Help has it from the settings, but for two flags where the default is no value."""
    sources = (path.read_text() for path in COMMANDS_FOLDER.glob("*.py"))
    calls = [
        call for text in sources for call in re.findall(r"\bsetting\((?:[^()]|\([^()]*\))*", text)
    ]
    by_hand = {text for call in calls for text in re.findall(r"\[([^\]\"]+)\]", call)}

    assert len(calls) > 30
    assert by_hand == {*WHERE_NONE_IS_NAMED.values()}


@pytest.mark.parametrize("option", flags_of_settings())
def test_a_flag_leaves_its_default_to_the_settings(option: click.Option) -> None:
    """Without the flag, file and environment decide."""
    assert option.default is None


def test_help_imports_nothing_heavy() -> None:
    """Help answers at once: it loads neither models nor data nor the client library."""
    code = (
        "import sys; from churnstream.cli import main; sys.argv = ['churnstream', '--help']\n"
        "try: main()\n"
        "except SystemExit: print(sorted(sys.modules), file=sys.stderr)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"pandas", "sklearn", "confluent_kafka", "numpy", "pyarrow", "pydantic", "rich"}
    assert heavy & set(re.findall(r"'(\w+)'", found.stderr)) == set()
    assert found.stdout.startswith("Usage: churnstream")


@pytest.mark.parametrize("words", [(), ("topics",), ("dead-letters",)], ids=" ".join)
def test_a_group_without_a_command_shows_its_commands(run: Run, words: tuple[str, ...]) -> None:
    """Whoever types too little gets the list, line by line, and the exit code of wrong use."""
    answer = run(*words)

    assert answer.code == 2
    assert (answer.out + answer.err).count("\n") > 5
    assert "Commands:" in answer.out + answer.err
    assert "Error" not in answer.out + answer.err


def test_the_version_is_the_packages(run: Run) -> None:
    """`--version` says what is installed."""
    assert re.fullmatch(r"churnstream, version \d+\.\d+\.\d+\S*\n", run("--version").out)


# ---- wrong use: one line and exit code 2 ----


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("conusme", "No such command 'conusme'"),
        ("topics delete", "No such command 'delete'"),
        ("consume --no-such-flag", "--no-such-flag"),
        ("consume --group", "--group"),
        ("consume leftover", "leftover"),
        ("batch-predict --output x.csv", "--input"),
        ("batch-predict --input x.csv", "--output"),
        ("consume --config nowhere.yaml", "nowhere.yaml"),
        ("consume --config .", "directory"),
        ("produce --batch-size many", "--batch-size"),
        ("produce --batch-size 0", "batch_size"),
        ("produce --events-per-sec fast", "--events-per-sec"),
        ("produce --events-per-sec 0", "events_per_sec"),
        ("produce --events-per-sec inf", "events_per_sec"),
        ("produce --mode sometimes", "mode"),
        ("produce --max-events -1", "max_events"),
        ("consume --mode sometimes", "mode"),
        ("consume --delivery at-most-once", "delivery"),
        ("consume --group-protocol modern", "group_protocol"),
        ("consume --top -1", "top_k"),
        ("consume --log-level loud", "level"),
        ("consume --log-format xml", "format"),
        ("consume --topic same --output-topic same", "topics"),
        ("consume -X sasl.password", "NAME=VALUE"),
        ("consume -X =geheim", "NAME=VALUE"),
        ("train --seed -1", "seed"),
        ("broker --port 99999", "--port"),
        ("broker --port -1", "--port"),
        ("health --max-lag -1", "--max-lag"),
        ("health --max-age -1", "--max-age"),
        ("dead-letters list --since yesterday", "--since"),
        ("dead-letters list --limit -1", "--limit"),
        ("dead-letters list --reason boredom", "boredom"),
        ("dead-letters replay --reason boredom", "unknown_category"),
    ],
)
def test_wrong_use_is_one_line(run: Run, line: str, expected: str) -> None:
    """A wrong command, flag or value is named, before any broker is asked."""
    words = line.split()
    takes_broker = words[0] in {"consume", "produce", "health", "dead-letters"}
    group = 2 if words[0] == "dead-letters" else 1
    broker = UNREACHABLE if takes_broker else []

    assert_fails(run(*words[:group], *broker, *words[group:]), 2, expected)


def test_a_typing_error_gets_a_hint(run: Run) -> None:
    """A wrong flag is answered with the command that lists the right ones."""
    assert_fails(run("consume", "--grop", "x"), 2, "--group", "see: churnstream consume --help")


def test_a_wrong_setting_in_the_file_is_named(run: Run) -> None:
    """A file with a misspelt name ends the command, whether it needs that setting or not."""
    Path("config.yaml").write_text("consumer: {gruop: x}")

    assert_fails(run("predict", "[]"), 2, "consumer.gruop")


def test_a_wrong_variable_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable ends the command with the right one."""
    monkeypatch.setenv("CHURNSTREAM_CONSUMER__GRUOP", "x")

    assert_fails(run("predict", "[]"), 2, "did you mean CHURNSTREAM_CONSUMER__GROUP?")


def test_secrets_are_not_repeated(run: Run) -> None:
    """A property that is written wrongly may be a password."""
    answer = run("consume", "-X", "geheim")

    assert_fails(answer, 2, "-X")
    assert "geheim" not in answer.err


def test_a_property_that_does_not_exist_is_wrong_use(run: Run) -> None:
    """The client library's own rejection is one line, too."""
    assert_fails(run("topics", "create", "-X", "no.such.property=1", *UNREACHABLE), 2, "no.such")


# ---- what fails: one line and exit code 1 ----


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["predict", "{}"], "no model in models/telco-churn; run: churnstream train"),
        (["predict", "--model", "elsewhere", "{}"], "no model in elsewhere"),
        (["train", "--dataset", "nowhere.csv"], "nowhere.csv"),
        (["train", "--dataset", "."], ".: cannot be read: Is a directory"),
        (["batch-predict", "--input", "x.csv", "--output", "y.csv"], "no model in models/telco-"),
        (["produce", "--dataset", "nowhere.parquet", *UNREACHABLE], "nowhere.parquet"),
        (["demo", "--dataset", "nowhere.csv"], "nowhere.csv"),
    ],
    ids=lambda part: " ".join(part[:3]) if isinstance(part, list) else None,
)
def test_a_file_that_is_missing_is_named(run: Run, words: list[str], expected: str) -> None:
    """A missing model or data set is named, before anything else is begun."""
    assert_fails(run(*words), 1, expected)


def test_a_missing_file_to_score_is_named(run: Run, trained: Path) -> None:
    """Once the model is there, which says what a customer is."""
    words = ["--input", "nowhere.csv", "--output", "x.csv"]

    assert_fails(
        run("batch-predict", "--model", trained, *words),
        1,
        "nowhere.csv: cannot be read: No such file",
    )
    assert not Path("x.csv").exists()


def test_a_file_is_not_scored_into_itself(run: Run, trained: Path, tmp_path: Path) -> None:
    """It would be gone, in another form than it had."""
    path = write_csv(tmp_path / "c.csv", 3)
    before = path.read_bytes()
    words: list[str | Path] = ["--model", trained, "--input", path, "--output", path]
    assert_fails(run("batch-predict", *words), 2, "is the file that is read; name another")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        "topics create",
        "topics describe",
        "produce --max-events 1",
        "produce --mode batch",
        "consume",
        "consume --mode batch",
        "report",
        "audit",
        "dead-letters list",
        "dead-letters replay",
    ],
)
def test_a_broker_that_does_not_answer_is_named(run: Run, line: str) -> None:
    """No broker is one line that says where it was looked for, and what to do."""
    assert_fails(
        run(*line.split(), *UNREACHABLE),
        1,
        "no broker answered at 127.0.0.1:1",
        "churnstream broker",
    )


def test_health_without_a_broker_is_an_answer(run: Run) -> None:
    """Unhealthy is said in JSON like healthy, and by the exit code."""
    answer = run("health", *UNREACHABLE)

    state = json.loads(answer.out)
    assert (answer.code, state["healthy"], state["broker"]) == (1, False, "127.0.0.1:1")
    assert "no broker answered" in state["problems"][0]


def test_a_port_that_is_taken_is_wrong_use(run: Run) -> None:
    """The embedded broker says which port, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert_fails(run("broker", "--port", port), 2, port, "--port")


def test_a_port_on_which_nobody_listens_yet_is_taken_as_well(run: Run) -> None:
    """A port that another process only holds is named like one that answers."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = str(holder.getsockname()[1])
        assert_fails(run("broker", "--port", port), 2, f"port {port} of 127.0.0.1 is taken")


# ---- streams of every kind ----


def as_process(
    *words: str | Path, environment: dict[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "churnstream", *words],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        check=False,
        **options,
    )


def test_the_package_runs_as_a_module() -> None:
    """`python -m churnstream` is the command."""
    answer = as_process("--version")

    assert (answer.returncode, answer.stderr) == (0, b"")
    assert answer.stdout.startswith(b"python -m churnstream, version ")


@pytest.mark.parametrize("words", [("predict", "-"), ("predict",)])
def test_a_closed_stdin_is_one_line(trained: Path, words: tuple[str, ...]) -> None:
    """Whoever starts it without a standard input is told."""
    answer = as_process(*words, "--model", trained, preexec_fn=lambda: os.close(0))

    assert answer.returncode == 1
    assert answer.stderr == b"Error: cannot read stdin: it is closed\n"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "utf-8"])
def test_any_encoding_will_do(tmp_path: Path, encoding: str) -> None:
    """What stdout cannot take appears as its number, and is no error; nothing is left out."""
    own = {"PYTHONIOENCODING": encoding}
    answer = as_process("train", "--model", tmp_path / "model", environment=own)

    assert answer.returncode == 0, answer.stderr
    assert ("←".encode() if encoding == "utf-8" else rb"\u2190") in answer.stdout
    assert b"saved in " in answer.stdout


@pytest.mark.parametrize("words", [*((*words, "--help") for words in COMMANDS), ("--help",)])
def test_help_is_shown_in_any_encoding(words: tuple[str, ...]) -> None:
    """Also in the poorest one."""
    assert as_process(*words, environment={"PYTHONIOENCODING": "ascii"}).returncode == 0


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii", "utf-8"])
def test_json_stays_json_in_any_encoding(trained: Path, encoding: str) -> None:
    """An ID of letters that an encoding lacks comes out as JSON writes it."""
    name = "Zoë Ж 😀"
    answer = as_process(
        "predict",
        "--model",
        trained,
        environment={"PYTHONIOENCODING": encoding},
        input=json.dumps(customer(customerID=name)).encode(),
    )

    assert (answer.returncode, answer.stderr) == (0, b"")
    found = answer.stdout.decode("utf-8" if encoding == "ascii" else encoding)
    assert json.loads(found)["customerID"] == name


def test_pages_are_made_under_any_locale() -> None:
    """What comes with the package is read as what it is, whatever files hold elsewhere."""
    locale = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    code = "from churnstream.pages.render import style; assert chr(0x2193) in style()"
    subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code], env={**os.environ, **locale}, check=True
    )


# ---- how main answers faults ----


def fail_with(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    """Let every command fail while it reads its settings."""

    def load_and_fail(*args: Any) -> Settings:
        raise fault

    monkeypatch.setattr(settings_sources, "load", load_and_fail)


@pytest.mark.parametrize(
    ("fault", "code"), [(ConfigurationError("x"), 2), (ModelError("x"), 1), (BrokerError("x"), 1)]
)
def test_a_fault_has_its_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, fault: Exception, code: int
) -> None:
    """1 for what failed, 2 for wrong use."""
    fail_with(monkeypatch, fault)

    assert_fails(run("predict", "{}"), code, "Error: x")


def test_a_fault_of_several_lines_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a library says, the answer is one line."""
    fail_with(monkeypatch, ModelError("first\n  second"))

    assert_fails(run("predict", "{}"), 1, "Error: first second")


def test_an_interrupt_is_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a command that keeps no promises just ends it."""
    fail_with(monkeypatch, KeyboardInterrupt())

    answer = run("predict", "{}")

    assert answer.code == 1
    assert answer.err.strip() == "Error: interrupted"


@pytest.mark.parametrize(
    ("words", "variable"),
    [
        (["--log-level", "debug"], None),
        (["--log-level=debug"], None),
        ([], "debug"),
    ],
)
def test_a_traceback_is_for_debugging(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: list[str], variable: str | None
) -> None:
    """With the log level debug, however it is set, a fault shows where it came from."""
    if variable:
        monkeypatch.setenv("CHURNSTREAM_LOG__LEVEL", variable)
    monkeypatch.setattr(sys, "argv", ["churnstream", "predict", "{}", *words])

    with pytest.raises(ModelError):
        main()


def test_the_word_debug_alone_is_no_log_level(run: Run) -> None:
    """A file of that name does not ask for a traceback."""
    assert_fails(run("predict", "debug"), 1, "no model")


def test_a_reader_that_has_seen_enough_is_no_failure(trained: Path) -> None:
    """`churnstream predict | head -1` ends well."""
    code = "from churnstream.cli import main; main()"
    words = [sys.executable, "-c", code, "predict", "--model", str(trained), event_json().decode()]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        ended = subprocess.run(words, stdout=pipe, stderr=subprocess.PIPE, check=False)

    assert (ended.returncode, ended.stderr) == (0, b"")


_HANGING = """
import atexit, sys, time
from churnstream.cli import main
from churnstream.kafka.guarded_call import call_guarded

atexit.register(time.sleep, 60)
try:
    call_guarded(lambda: time.sleep(60), sys.exit, every=0.01)
except SystemExit:
    sys.argv = ["churnstream", *{words}]
    main()
"""


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["--nonsense"], 2)])
def test_a_client_that_hangs_keeps_no_process_alive(words: list[str], code: int) -> None:
    """Python would take it apart at its end, and wait for it for ever."""
    script = _HANGING.format(words=words)
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, timeout=30
    )

    assert ended.returncode == code
    assert ended.stdout or ended.stderr


def test_a_full_disk_behind_stdout_is_one_line(trained: Path) -> None:
    """Results that cannot be written are a failure, and no traceback."""
    code = "from churnstream.cli import main; main()"
    words = [sys.executable, "-c", code, "predict", "--model", str(trained), event_json().decode()]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False)

    assert_fails(Answer(ended.returncode, "", ended.stderr.decode()), 1, "No space left on device")


# ---- predict ----


def events(*changes: dict[str, Any]) -> list[CustomerEvent]:
    """Events as the command decodes them."""
    found = [decode_event(event_json(**one), b"7590-VHVEG") for one in changes]
    assert all(isinstance(event, CustomerEvent) for event in found)
    return found


def test_predict_scores_as_the_model_does(run: Run, trained: Path) -> None:
    """A customer's answer has the model's probability, its verdict and its version."""
    model = load(trained)
    probability = float(model.score(events({}))[0])

    (answer,) = run("predict", "--model", trained, event_json().decode()).records

    assert answer == {
        "customerID": "7590-VHVEG",
        "churn_probability": pytest.approx(probability, abs=1e-9),
        "prediction": "Yes" if probability >= model.threshold else "No",
        "model_version": model.version,
    }


@pytest.mark.parametrize("form", ["argument", "file", "stdin", "dash"])
@pytest.mark.parametrize("layout", ["object", "array", "lines"])
def test_predict_takes_json_from_anywhere(run: Run, trained: Path, form: str, layout: str) -> None:
    """One object, an array or an object a line: as an argument, in a file, or on stdin."""
    rows = [customer(tenure=months) for months in (1, 24, 72)][: 1 if layout == "object" else 3]
    text = json.dumps(rows[0] if layout == "object" else rows)
    if layout == "lines":
        text = "\n".join(map(json.dumps, rows)) + "\n"
    Path("customers.json").write_text(text)
    words = {"argument": [text], "file": ["customers.json"], "stdin": [], "dash": ["-"]}[form]

    answer = run("predict", "--model", trained, *words, stdin=text.encode())

    scores = load(trained).score(events(*({"tenure": row["tenure"]} for row in rows)))
    assert (answer.code, answer.err) == (0, "")
    np.testing.assert_allclose([r["churn_probability"] for r in answer.records], scores, atol=1e-9)


def test_predict_needs_no_event_time(run: Run, trained: Path) -> None:
    """A customer as the data set has it is enough."""
    row = customer()
    del row["event_ts"]

    assert len(run("predict", "--model", trained, json.dumps(row)).records) == 1


def test_predict_names_what_it_rejects(run: Run, trained: Path) -> None:
    """Customers that can be scored are; each of the others is one line on stderr."""
    rows = [customer(), customer(Contract="Weekly"), customer(tenure="x"), customer(), 5]

    answer = run("predict", "--model", trained, json.dumps(rows))

    assert answer.code == 1
    assert len(answer.records) == 2
    assert [line.split(":")[:3] for line in answer.err.splitlines()] == [
        ["Error", " customer 2", " Contract"],
        ["Error", " customer 3", " tenure"],
        ["Error", " customer 5", " value"],
    ]


@pytest.mark.parametrize("text", ["", "[]", " \n"])
def test_predict_of_nobody_is_a_failure(run: Run, trained: Path, text: str) -> None:
    """Where nothing was scored, the exit code says so."""
    answer = run("predict", "--model", trained, stdin=text.encode())

    assert_fails(answer, 1, "there is no customer in the input")


@pytest.mark.parametrize("name", ["nowhere.json", ".", "x" * 5_000])
def test_predict_names_a_file_that_it_cannot_read(run: Run, trained: Path, name: str) -> None:
    """What is neither JSON nor a file is named."""
    assert_fails(run("predict", "--model", trained, name), 1, f"cannot read {name[:100]}")


def test_predict_of_broken_bytes_is_a_rejection(run: Run, trained: Path) -> None:
    """Bytes that are no text end in a line, not in a traceback."""
    Path("customers.json").write_bytes(b'{"customerID": "\xff"}')

    answer = run("predict", "--model", trained, "customers.json")

    assert_fails(answer, 1, "customer 1")


# ---- batch-predict ----


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of three customers, the second of which has a contract that nobody knows."""
    path = write_csv(tmp_path / "customers.csv", 3)
    lines = path.read_text().splitlines()
    lines[2] = lines[2].replace("Month-to-month", "Weekly")
    path.write_text("\n".join(lines) + "\n")
    return path


def scored_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a scored file, CSV, Parquet or Excel."""
    if path.suffix == ".xlsx":
        names, *cells = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
        return [
            {str(name): None if cell == "" else cell for name, cell in zip(names, row, strict=True)}
            for row in cells
        ]
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return found
    with path.open(newline="") as file:
        return [
            {name: value or None for name, value in row.items()} for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize("target", ["scored.csv", "scored.parquet", "scored.xlsx"])
@pytest.mark.parametrize("source", ["customers.csv", "customers.parquet"])
def test_batch_predict_keeps_every_row(
    run: Run, trained: Path, rows: Path, source: str, target: str
) -> None:
    """A file becomes the same rows with predictions; a bad one keeps its place and its reason."""
    if source.endswith(".parquet"):
        with rows.open(newline="") as file:
            parquet.write_table(pa.Table.from_pylist(list(csv.DictReader(file))), source)
    answer = run("batch-predict", "--input", source, "--output", target, "--model", trained)

    probability = float(load(trained).score(events({}))[0])
    found = scored_rows(Path(target))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("2 rows scored")
    assert "1 rejected" in answer.out
    assert [row["customerID"] for row in found] == ["C0", "C1", "C2"]
    assert [row["error"] is None for row in found] == [True, False, True]
    assert found[1]["error"].startswith('Contract: "Weekly" is unknown')
    assert [row["churn_probability"] is None for row in found] == [False, True, False]
    assert float(found[0]["churn_probability"]) == pytest.approx(probability, abs=1e-9)
    assert {row["Contract"] for row in found} == {"Month-to-month", "Weekly"}


@pytest.mark.parametrize(
    ("target", "code"),
    [("scored.txt", 2), ("s.xls", 2), ("nowhere/x.csv", 1), ("customers.csv/x.csv", 1), (".", 1)],
)
def test_batch_predict_names_a_target_that_it_cannot_write(
    run: Run, trained: Path, rows: Path, target: str, code: int
) -> None:
    """A wrong target is named, and leaves nothing behind."""
    answer = run("batch-predict", "--input", rows, "--output", target, "--model", trained)

    assert_fails(answer, code, target)
    assert sorted(path.name for path in Path().iterdir()) == ["customers.csv"]


def test_batch_predict_starts_no_formula(run: Run, trained: Path, tmp_path: Path) -> None:
    """A text of the file that a spreadsheet would compute has an apostrophe before it."""
    path = write_csv(tmp_path / "customers.csv", 1)
    path.write_text(path.read_text().replace("C0", "=1+1"))
    run("batch-predict", "--input", path, "--output", "s.csv", "--model", trained)

    assert scored_rows(Path("s.csv"))[0]["customerID"] == "'=1+1"


def test_batch_predict_does_not_name_its_draft(run: Run, trained: Path, rows: Path) -> None:
    """The name under which a file is written before it is whole is nobody's business."""
    answer = run("batch-predict", "--input", rows, "--output", "nowhere/x.csv", "--model", trained)

    assert ".x.csv." not in answer.err


def test_batch_predict_counts_the_reasons(run: Run, trained: Path, tmp_path: Path) -> None:
    """What was rejected is said by reason, the most frequent first, with an example each."""
    path = write_csv(tmp_path / "customers.csv", 10)
    lines = path.read_text().splitlines()
    lines[3:6] = [line.replace("Month-to-month", "Weekly") for line in lines[3:6]]
    lines[7] = lines[7].replace("C6,", ",")
    path.write_text("\n".join(lines) + "\n")

    answer = run("batch-predict", "--input", path, "--output", "x.csv", "--model", trained)

    assert answer.code == 0
    _, reasons = answer.out.splitlines()
    assert reasons.startswith(
        "rejected: 3 unknown_category in Contract, as in row 4 (the header is row 1): "
        '"Weekly" is unknown to the model'
    )
    assert "; 1 wrong_type in customerID, as in row 8 (" in reasons


def test_batch_predict_of_nothing_fails(run: Run, trained: Path, tmp_path: Path) -> None:
    """Where no row could be scored the exit code is 1, and the line says why."""
    path = write_csv(tmp_path / "weekly.csv", 15, Contract="Weekly")
    answer = run("batch-predict", "--input", path, "--output", "x.csv", "--model", trained)

    assert_fails(
        answer,
        1,
        "weekly.csv: none of its 15 rows can be scored: 15 unknown_category in Contract, as in",
        '"Weekly" is unknown to the model',
    )
    assert len(scored_rows(Path("x.csv"))) == 15

    empty = write_csv(tmp_path / "empty.csv", 0)
    answer = run("batch-predict", "--input", empty, "--output", "x.csv", "--model", trained)
    assert_fails(answer, 1, "empty.csv: has no rows")


def test_batch_predict_names_columns_that_are_missing(run: Run, trained: Path) -> None:
    """A file that is no file of customers is rejected with what it lacks."""
    Path("other.csv").write_text("customerID,gender\n1,Male\n")

    answer = run("batch-predict", "--input", "other.csv", "--output", "x.csv", "--model", trained)

    assert_fails(answer, 1, "other.csv: lacks the columns", "Contract")


# ---- train ----


def test_train_needs_both_kinds_of_customers(run: Run, tmp_path: Path) -> None:
    """A file in which nobody churned trains nothing."""
    path = write_csv(tmp_path / "loyal.csv", 40, Churn="No")

    assert_fails(run("train", "--dataset", path, "--model", "m"), 1, "cannot train")
    assert not Path("m").exists()


@pytest.mark.parametrize("command", ["train --compare", "train", "adopt any.joblib"])
def test_labels_of_another_kind_are_named(run: Run, tmp_path: Path, command: str) -> None:
    """Where labels say nothing, their column is named; 1 and true say as much as Yes."""
    joblib.dump(DummyClassifier().fit([[0], [1]], [0, 1]), tmp_path / "any.joblib")
    for label, problem in {
        "left": "cannot train: 40 of 40 customers have no label in Churn",
        "": "cannot train: 40 of 40 customers have no label in Churn",
        "1": "cannot train: 40 of 40 customers churned; needs at least 10 who did and 10 who did",
        "false": "cannot train: 0 of 40 customers churned; needs at least 10",
    }.items():
        path = write_csv(tmp_path / "other.csv", 40, Churn=label)
        assert_fails(run(*command.split(), "--dataset", path), 1, problem)


def test_rows_without_a_label_are_left_out_and_counted(run: Run, tmp_path: Path) -> None:
    """As `init` says of them; nobody knows yet whether they leave."""
    path = tmp_path / "customers.csv"
    rows = gzip.decompress(BUNDLED.read_bytes()).decode().splitlines()[:400]
    rows[1:6] = [row.rsplit(",", 1)[0] + "," for row in rows[1:6]]
    path.write_text("\n".join(rows))
    trained = run("train", "--dataset", path, "--model", "m")
    assert trained.code == 0, trained.err
    assert "customers.csv: 5 of 399 customers have no label and are left out\n" in trained.err


def test_training_says_when_it_takes_the_example(run: Run, tmp_path: Path) -> None:
    """Who forgot `init` would think that the model is theirs."""
    path = write_csv(tmp_path / "customers.csv", 0)
    says = "training on the customers of the example"
    assert says not in run("train", "--dataset", path).err
    assert says in run("train", "--model", "m").err


def test_an_empty_file_trains_nothing(run: Run, tmp_path: Path) -> None:
    """A header without rows is named as such."""
    path = write_csv(tmp_path / "empty.csv", 0)

    assert_fails(run("train", "--dataset", path, "--model", "m"), 1, "empty.csv: has no rows")


# ---- the batch producer's last line ----


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ((0, 7043, True), "7,043 rows of x.csv sent to t"),
        ((1000, 6043, True), "6,043 rows of x.csv sent to t, after 1,000 sent by earlier runs"),
        ((0, 1000, False), "1,000 rows of x.csv sent to t; stopped, run it again to send the rest"),
        (
            (7043, 0, True),
            "nothing left to send: all 7,043 rows of x.csv were sent to t before; "
            "send them again with --no-resume",
        ),
        ((0, 0, True), "0 rows of x.csv sent to t"),
    ],
)
def test_a_batch_ends_with_what_was_sent(result: tuple[int, int, bool], expected: str) -> None:
    """The last line of a batch counts the rows of this run and of earlier ones."""
    assert _batch_line(BatchResult(*result), "x.csv", "t") == expected


# ---- a pipeline of the user's own ----


def test_adopt_warns_of_what_ranks_the_wrong_way_round(
    run: Run, tmp_path: Path, customers: list[CustomerEvent]
) -> None:
    """A model whose labels are swapped is taken, and doubted on stderr."""
    rows = customers[:2000]
    swapped = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["Contract"])), LogisticRegression()
    ).fit(frame(TELCO, rows), ["No" if event.Churn == "Yes" else "Yes" for event in rows])
    joblib.dump(swapped, tmp_path / "swapped.joblib")

    answer = run("adopt", "swapped.joblib", "--model", "own", "--json")

    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["test"]["roc_auc"] < 0.5
    (line,) = answer.err.splitlines()
    assert line.startswith("Warning: ROC AUC over the folds 0.")
    assert line.endswith("the wrong way round?")


def test_adopt_rejects_what_it_cannot_use(run: Run, tmp_path: Path) -> None:
    """An address in a registry, and a file that is not there, are one line each."""
    joblib.dump(DummyClassifier().fit([[0], [1]], [0, 1]), tmp_path / "any.joblib")

    assert_fails(run("adopt", "any.joblib", "--model", "models:/a@b"), 2, "saved in a folder")
    assert_fails(run("adopt", "none.joblib"), 1, "none.joblib: there is no such file")


def test_adopted_models_score(run: Run, tmp_path: Path) -> None:
    """From a file of one's own to predictions, in two commands."""
    any_frame = pa.table({"x": [0, 1]}).to_pandas()
    joblib.dump(DummyClassifier().fit(any_frame, ["No", "Yes"]), tmp_path / "any.joblib")

    adopted = run("adopt", "any.joblib", "--model", "own", "--threshold", "0.5", "--json")
    answer = run("predict", "--model", "own", json.dumps(customer()))

    assert (adopted.code, answer.code) == (0, 0), adopted.err + answer.err
    assert json.loads(adopted.out)["version"] == answer.records[0]["model_version"]
    assert answer.records[0]["churn_probability"] == 0.5
