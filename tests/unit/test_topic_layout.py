"""The topics as `topics describe` and `health` see them."""

import pytest

from churnstream.pipeline import topic_layout
from churnstream.settings import Settings
from fakes import FakeAdmin


@pytest.mark.parametrize(
    ("committed", "lag"),
    [({}, 10), ({0: 60}, 10), ({0: 93}, 7), ({0: 100}, 0), ({0: 120}, 10)],
    ids=["no place", "before the beginning", "within", "at the end", "beyond the end"],
)
def test_lag_counts_what_is_there(committed: dict[int, int], lag: int) -> None:
    """Events that retention has removed do not wait, wherever the group's offset lies."""
    admin = FakeAdmin({0: 100}, begins={0: 90}, committed=committed)
    settings = Settings()
    rows = topic_layout.describe(admin, settings)
    assert [row.lag for row in rows if row.topic == settings.topics.input] == [lag]
