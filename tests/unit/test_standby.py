"""A member without partitions says so."""

import pytest
from structlog.testing import capture_logs

from churnstream.pipeline.standby import Standby


def test_it_is_said_once_for_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """After half a minute without partitions there is one warning, and another the next time."""
    now = 100.0
    monkeypatch.setattr("churnstream.deadline.time.monotonic", lambda: now)
    member = Standby()
    said = []
    for now, assigned in (  # read by the clock
        *((110.0, False), (131.0, False), (200.0, False), (201.0, True)),
        *((230.0, False), (232.0, False), (300.0, False)),
    ):
        with capture_logs() as lines:
            member.note(assigned=assigned)
        said += [(now, line["event"]) for line in lines]

    assert said == [(131.0, "no_partitions"), (232.0, "no_partitions")]


def test_without_a_broker_nobody_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no broker can be reached it is that which is said, and not that others have them."""
    now = 100.0
    monkeypatch.setattr("churnstream.deadline.time.monotonic", lambda: now)
    member = Standby()
    now = 140.0
    with capture_logs() as lines:
        member.note(assigned=False, cut_off=True)

    assert [line["because"] for line in lines] == ["no broker can be reached"]
