"""The command init: from a file to a schema file."""

import json
import os
import pty
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from churnstream.cli.init import init
from churnstream.errors import ConfigurationError, DataError
from churnstream.schema import schema_file
from churnstream.schema.schema import Label

ROWS = 120


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def customers(path: str, label: str = "Exited", more: str = "") -> Path:
    """A file of customers; `more` is the head of another column, with 0 and 1 in turn."""
    lines = [f"CustomerId,Age,Plan,{label}{',' * bool(more)}{more}"]
    lines += [
        f"c{i * 7},{20 + i % 50},{'abc'[i % 3]},{int(i % 4 == 0)}" + f",{i % 2}" * bool(more)
        for i in range(ROWS)
    ]
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text("\n".join(lines), encoding="utf-8")
    return Path(path)


def run(*arguments: str) -> Result:
    """Run the command; what it raises is what the command line says in one line."""
    return CliRunner().invoke(init, arguments, catch_exceptions=False)


def test_a_schema_is_written() -> None:
    """The schema file says what the table shows, and names the file that it came from."""
    customers("data/bank.csv")
    shown = run("data/bank.csv").output
    schema = schema_file.read(Path("customers.yaml"))

    assert (schema.name, schema.id, schema.label) == (
        "bank",
        "CustomerId",
        Label("Exited", "1", "0"),
    )
    assert schema.file is not None
    assert schema.file.path == "data/bank.csv"
    assert Path("customers.yaml").read_text(encoding="utf-8").startswith("# What a customer is.")
    assert "another one in every row" in shown
    assert "churnstream train\n" in shown
    assert all(line == line.rstrip() for line in shown.splitlines())


def test_nothing_is_overwritten() -> None:
    """A file that is there stays, unless --force says otherwise."""
    customers("bank.csv")
    Path("customers.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="exists already; --force overwrites it"):
        run("bank.csv")
    assert Path("customers.yaml").read_text(encoding="utf-8") == "mine"
    run("bank.csv", "--force")
    assert schema_file.read(Path("customers.yaml")).name == "bank"


def test_answers_as_flags() -> None:
    """What is said by flags is what the schema says, wherever it goes."""
    customers("bank.csv", more="Flag")
    arguments = ("--label", "Flag=0", "--id", "CustomerId", "--value", "30", "--leave-out", "Plan")
    shown = run("bank.csv", *arguments, "--name", "mine", "-o", "sub/mine.yaml").output
    schema = schema_file.read(Path("sub/mine.yaml"))

    assert (schema.name, schema.label, schema.value) == ("mine", Label("Flag", "0", "1"), 30.0)
    assert "Plan" in schema.left_out
    assert schema.file is not None
    assert schema.file.path == "../bank.csv"
    assert "churnstream train --schema sub/mine.yaml" in shown


def test_open_questions_fail_in_a_pipe() -> None:
    """What is not certain fails with the candidates and the flag that answers."""
    customers("bank.csv", label="Left", more="Churned")
    with pytest.raises(ConfigurationError) as caught:
        run("bank.csv")
    assert "Left=1 (1 for 30 of 120 (25.0%): they left); Churned=1" in str(caught.value)
    assert str(caught.value).endswith("--label Left=1")
    assert not Path("customers.yaml").exists()


def test_asked_on_a_terminal() -> None:
    """On a terminal the candidates are shown by number, and the first is a key away."""
    customers("bank.csv", label="Left", more="Churned")
    main, side = pty.openpty()
    command = [sys.executable, "-c", "from churnstream.cli.init import init; init()", "bank.csv"]
    process = subprocess.Popen(command, stdin=side, stdout=subprocess.PIPE, stderr=side)
    os.close(side)
    os.write(main, b"2\n")
    with ThreadPoolExecutor() as pool:
        shown = pool.submit(_all_of, main)  # a terminal holds some 4 kB until they are read
        output, _ = process.communicate(timeout=60)
    asked = shown.result()

    assert process.returncode == 0, asked
    assert "1  Left=1: 1 for 30 of 120" in asked
    assert schema_file.read(Path("customers.yaml")).label == Label("Churned", "1", "0")
    assert b"customers.yaml is written" in output


def _all_of(terminal: int) -> str:
    """What a terminal shows until its other side is closed."""
    shown = b""
    with open(terminal, "rb", buffering=0) as source, suppress(OSError):  # EIO is its end
        while more := source.read(4096):
            shown += more
    return shown.decode()


def test_as_json() -> None:
    """With --json, schema and findings are one document."""
    customers("bank.csv")
    document = json.loads(run("bank.csv", "--json").output)

    assert document["schema"]["id"] == "CustomerId"
    assert document["findings"][0]["role"] == "id"
    assert document["file"] == "customers.yaml"


def test_without_a_label() -> None:
    """A file without a label is for scoring, and training is not proposed."""
    customers("bank.csv", label="Points")
    shown = run("bank.csv", "--label", "none").output
    assert "churnstream train" not in shown
    assert "no column says who has left" in shown


def test_a_german_file() -> None:
    """Semicolons, decimal commas, umlauts in another encoding: read, and said in the schema."""
    lines = ["Kundennr;Gekündigt;Beitrag monatlich;Seit"]
    lines += [
        f"{1000 + i};{'ja' if i % 4 else 'nein'};1.{100 + i},50;{1 + i % 28}.{1 + i % 12}.2023"
        for i in range(ROWS)
    ]
    Path("kunden.csv").write_bytes("\n".join(lines).encode("cp1252"))
    run("kunden.csv")
    schema = schema_file.read(Path("customers.yaml"))

    assert (schema.id, schema.value) == ("Kundennr", "Beitrag monatlich")
    assert schema.label == Label("Gekündigt", "ja", "nein")
    assert schema.file is not None
    assert (schema.file.delimiter, schema.file.decimal, schema.file.encoding) == (
        ";",
        ",",
        "cp1252",
    )


def test_a_file_of_no_rows() -> None:
    """A header alone is an error in one line."""
    Path("bank.csv").write_text("id,churn\n", encoding="utf-8")
    with pytest.raises(DataError):
        run("bank.csv")


def test_hostile_texts_are_harmless() -> None:
    """What a terminal would obey is shown as an escape."""
    path = customers("bank.csv")
    path.write_bytes(path.read_bytes().replace(b",b,", b",\x1b[2Jb,"))
    assert "\x1b" not in run("bank.csv").output
