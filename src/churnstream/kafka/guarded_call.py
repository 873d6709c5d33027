"""A call into the client library that may never return."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

_left_alone: list[Thread] = []


def is_hanging() -> bool:
    """Whether a call that was left alone has still not returned.

    It holds its client, and to take that apart, as Python does at its end, would hang as well.
    """
    return any(thread.is_alive() for thread in _left_alone)


def call_guarded(call: Callable[[], None], check: Callable[[], None], every: float) -> None:
    """Make a call in a thread of its own, and ask at intervals whether to go on waiting.

    Args:
        call: What may hang. Its result is dropped, its exception raised here.
        check: Called while it has not returned; what it raises ends the wait. The call is then
            left alone: nothing can interrupt it, and it does not keep the process alive.
        every: Seconds between two checks.
    """
    done: Future[None] = Future()

    def run() -> None:
        try:
            call()
        except BaseException as error:  # raised again by the one who waits
            done.set_exception(error)
        else:
            done.set_result(None)

    thread = Thread(target=run, name="guarded", daemon=True)
    thread.start()
    while True:
        try:
            return done.result(every)
        except TimeoutError:
            if done.done():
                return done.result()
        try:
            check()
        except BaseException:
            _left_alone.append(thread)
            raise
