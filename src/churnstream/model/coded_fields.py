"""Customers as numbers of cells, in the form in which scikit-learn's trees take them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churnstream.model.binning import common_texts, cuts
from churnstream.model.feature_table import Array, FeatureTable
from churnstream.model.term_scorer import TermScorer
from churnstream.model.terms import Steps, Table, Terms


@dataclass(frozen=True)
class CodedFields:
    """The cells of fields.

    Attributes:
        fields: Steps and tables whose terms are all 0, numbers first.
        empty: Numbers that no customer has: trees cannot take a column of NaN.
    """

    fields: dict[str, Steps | Table]
    empty: frozenset[str]

    @classmethod
    def of(cls, table: FeatureTable, most_steps: int) -> "CodedFields":
        """Cells that divide these customers, a number into so many at most."""
        numbers = {name: _steps(cuts(c, most_steps)) for name, c in table.numeric.items()}
        texts = {
            name: Table(dict.fromkeys(common_texts(c), 0.0), 0.0, 0.0)
            for name, c in table.categorical.items()
        }
        gone = {name for name, column in table.numeric.items() if np.all(np.isnan(column))}
        return cls({**numbers, **texts}, frozenset(gone))

    @property
    def are_texts(self) -> list[bool]:
        """Of each field whether it is one."""
        return [isinstance(field, Table) for field in self.fields.values()]

    def codes(self, table: FeatureTable) -> Array:
        """What the trees take of customers, (n, fields)."""
        cells = TermScorer(Terms(0.0, dict(self.fields))).cells(table.columns)
        return self.codes_of(np.column_stack([cells[name] for name in self.fields]))

    def codes_of(self, cells: NDArray[np.intp]) -> Array:
        """What the trees take of cells, (n, fields): NaN where a number is missing.

        That a text is missing is a category to them. Were it NaN, and everybody else had the same
        text, scikit-learn 1.9 would forget the sides of a split between the two.
        """
        codes = cells.astype(np.float64)
        for column, (name, field) in enumerate(self.fields.items()):
            if isinstance(field, Steps) and name not in self.empty:
                codes[codes[:, column] == field.cells - 1, column] = np.nan
        return codes


def _steps(at: Array) -> Steps:
    return Steps(tuple(at.tolist()), (0.0,) * (len(at) + 1), 0.0)
