"""The types of fields that several records have in common."""

from datetime import datetime
from typing import Annotated

import msgspec

EVENT_TS = "event_ts"
"""The field of events and predictions that holds the event's own time."""

Timestamp = Annotated[datetime, msgspec.Meta(tz=True)]
# As large as Kafka has them: whoever counts by them may keep them in columns of that size.
Partition = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
