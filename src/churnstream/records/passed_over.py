"""A record that holds no customer by rule: it is neither scored nor rejected, but counted."""

from typing import Literal

import msgspec

Rule = Literal["deleted", "tombstone", "no_row", "filtered"]


class PassedOver(msgspec.Struct, frozen=True, gc=False):
    """Why a record is passed over.

    Attributes:
        rule: `deleted`: the row is gone; `tombstone`: the null that may follow; `no_row`: a change
            without a row, as of a whole table; `filtered`: not of the kind that is asked for.
    """

    rule: Rule

    def __str__(self) -> str:
        return f"passed over: {self.rule}"
