import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from churnstream.observability.logs import configure

LEVELS = ("debug", "info", "warning", "error")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """What a test configures holds for this test alone."""
    root, client = logging.getLogger(), logging.getLogger("churnstream.kafka.client")
    handlers, levels = root.handlers[:], (root.level, client.level)
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    client.setLevel(levels[1])


def logged(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on stderr; nothing may go to stdout, which is for results."""
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def fields(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The same lines as JSON."""
    return [json.loads(line) for line in logged(capsys)]


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line holds the event's name, its keys, its level and its time in UTC."""
    configure("info", "json")

    structlog.get_logger("test").info("batch_scored", events=3, note="two\nlines")

    (line,) = fields(capsys)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "batch_scored", "events": 3, "level": "info", "note": "two\nlines"}


def test_a_failure_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback is one more key of the line."""
    configure("info", "json")

    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger("test").exception("batch_failed")

    (line,) = fields(capsys)
    assert "ValueError: broken" in line["exception"]


def test_bound_keys_are_on_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What is bound to the context need not be repeated."""
    configure("info", "json")

    with structlog.contextvars.bound_contextvars(group="churnstream"):
        structlog.get_logger("test").info("first")
        structlog.get_logger("test").info("second")
    structlog.get_logger("test").info("third")

    assert [line.get("group") for line in fields(capsys)] == ["churnstream", "churnstream", None]


def test_console_is_to_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """A line names the event and its keys, without colours where there is no terminal."""
    configure("info", "console")

    structlog.get_logger("test").info("batch_scored", events=3)

    (line,) = logged(capsys)
    assert "batch_scored" in line
    assert "events=3" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("level", LEVELS)
def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str], level: str) -> None:
    """The level is the least that is shown."""
    configure(level, "json")
    log = structlog.get_logger("test")

    for name in LEVELS:
        getattr(log, name)("said")

    assert [line["level"] for line in fields(capsys)] == list(LEVELS[LEVELS.index(level) :])


def test_the_last_configuration_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """Loggers that exist already follow, and no line is written twice."""
    log = structlog.get_logger("test")
    configure("error", "console")
    configure("info", "json")

    log.info("said")
    logging.getLogger("library").error("said")

    assert len(logged(capsys)) == 2


def test_warnings_of_libraries_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """What libraries say through the standard library appears from warnings on."""
    configure("info", "console")

    logging.getLogger("library").info("chatter")
    logging.getLogger("library").warning("trouble")

    (line,) = logged(capsys)
    assert "trouble" in line


def test_warnings_of_libraries_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    """With JSON asked for, every line is JSON, whoever wrote it."""
    configure("info", "json")

    logging.getLogger("library").warning("trouble with %s", "disks")

    (line,) = fields(capsys)
    assert (line["event"], line["level"]) == ("trouble with disks", "warning")


@pytest.mark.parametrize(("level", "count"), [("debug", 1), ("info", 0)])
def test_the_clients_own_lines_are_for_debugging(
    capsys: pytest.CaptureFixture[str], level: str, count: int
) -> None:
    """The client library is quiet unless debugging was asked for, also when it fails."""
    configure(level, "console")

    logging.getLogger("churnstream.kafka.client").error("FAIL connect to broker refused")

    assert len(logged(capsys)) == count
