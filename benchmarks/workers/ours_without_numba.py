"""Churnstream's own consumer, as if numba were not installed."""

import sys

sys.modules["numba"] = None  # type: ignore[assignment]  # before anything looks for it

from benchmarks.workers.ours import main  # noqa: E402

if __name__ == "__main__":
    main()
