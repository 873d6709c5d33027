"""The wish to stop, told by a signal."""

import signal
from collections.abc import Iterator

import pytest

from churnstream.pipeline.stop_signal import StopSignal


@pytest.fixture(autouse=True)
def _handlers_kept() -> Iterator[None]:
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("early", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_end_tells_the_signal(number: signal.Signals, early: bool) -> None:
    """A command that a signal ends says the same, whether it came before or after the imports."""
    stop = StopSignal()
    stop.listen()

    def come_and_end() -> None:
        if early:
            signal.raise_signal(number)
        stop.end_at_once()
        signal.raise_signal(number)

    if number == signal.SIGINT:
        with pytest.raises(KeyboardInterrupt):
            come_and_end()
    else:
        with pytest.raises(SystemExit) as ended:
            come_and_end()
        assert ended.value.code == 128 + number
