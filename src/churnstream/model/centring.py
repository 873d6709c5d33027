"""The share of each field in a prediction: exact Shapley values of a sum with pairs.

The game [Lundberg & Lee 2017; "interventional" in Janzing et al. 2020]: a set S of fields is worth
v(S), the mean log-odds of the training customers with their values of S replaced by this
customer's. A field's Shapley value is what it adds to that, averaged over every order in which the
fields could be replaced.

Shapley values of a sum are the sums of those of its parts. Of the term g of two fields i and j:

    value of i = [v(i) - v(none) + v(both) - v(j)] / 2

where v(i) is the mean of g over the customers' values of j alone, with this customer's of i.
`pure` makes all v(i) and v(j) of a pair 0 by giving what they were to the fields' own terms
[Hooker 2007, with the product of the fields' distributions for weights; "purification" in
Lengerich et al. 2020]. What is left is [g - v(none)] / 2: half of the pair's term, less its mean
over the customers. So, as the values of i all in all,

    effect of i = own term + half of each pair's term - the mean of that over the customers
    log-odds    = mean log-odds over the customers + the effects of all fields

and `centred` shifts own terms and base by those means, so that shares are effects.
"""

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace

from churnstream.model.feature_table import Array, FeatureTable
from churnstream.model.term_scorer import TermScorer
from churnstream.model.terms import Curve, Field, Steps, Table, Terms


def pure(grid: Array, rows: Array, columns: Array) -> tuple[Array, Array, Array, float]:
    """A grid without what its rows or its columns explain alone.

    Args:
        grid: Terms of a pair, (r, c).
        rows: Share of the customers in each row, (r,).
        columns: Share of the customers in each column, (c,).

    Returns:
        The pure grid (r, c), its parts by row (r,) and by column (c,), and a constant; they add
        up to the grid.
    """
    by_row, by_column = grid @ columns, rows @ grid
    constant = float(rows @ by_row)
    left = grid - by_row[:, None] - by_column[None, :] + constant
    return left, by_row - constant, by_column - constant, constant


def centred(terms: Terms, table: FeatureTable) -> Terms:
    """The same sum, with shares of mean 0 over these customers and their mean as the base."""
    shares = TermScorer(terms).contributions(table.columns)
    means = {name: float(np.mean(share)) for name, share in shares.items()}
    base = terms.base + sum(means.values())
    return replace(terms, base=base, fields=_shifted(terms.fields, means))


def _shifted(fields: Mapping[str, Field], means: Mapping[str, float]) -> dict[str, Field]:
    return {name: _less(field, means[name]) for name, field in fields.items()}


def _less(field: Field, mean: float) -> Field:
    missing = field.missing - mean
    if isinstance(field, Table):
        own = {text: term - mean for text, term in field.terms.items()}
        return Table(own, field.other - mean, missing)
    if isinstance(field, Steps):
        return Steps(field.cuts, tuple(term - mean for term in field.terms), missing)
    shifted = tuple((*rest, last - mean) for *rest, last in field.coefficients)
    return Curve(field.knots, shifted, missing)
