"""Linear algebra stays in one thread, and only while it should."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from churnstream.model.threads import one_blas_thread


def blas_threads() -> set[int]:
    """How many threads each loaded BLAS may use."""
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_linear_algebra_is_held_to_one_thread() -> None:
    """Inside there is one thread, afterwards as many as before."""
    assert np.dot([1.0], [1.0]) == 1.0
    with threadpool_limits(limits=2, user_api="blas"):
        with one_blas_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {2}
