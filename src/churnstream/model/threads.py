"""How many threads the linear algebra may take."""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keep linear algebra in the calling thread, for the whole process, while in this context.

    A batch's matrices are too small to share out. Where the other cores have work of their own,
    waiting for the helpers took longer than the work: training three times, scoring twice as long.
    """
    limit: AbstractContextManager[Any] = _pools().limit(limits=1, user_api="blas")
    return limit


@cache
def _pools() -> ThreadpoolController:
    # Finds the libraries that are loaded by now: all, once there is a pipeline to fit or to ask.
    return ThreadpoolController()
