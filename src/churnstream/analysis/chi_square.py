"""How large a sum of squares gets by chance alone; a consumer would need scipy for nothing else.

For a whole number of degrees of freedom the chi-square distribution has a closed form
[Abramowitz & Stegun 1964, 26.4.4 and 26.4.5].
"""

from math import erfc, exp, lgamma, log, sqrt

_STEPS = 200  # of halving: more than a float has bits


def exceeded_by(share: float, freedom: int) -> float:
    """The value that a chi-square variable exceeds with a probability.

    Args:
        share: That probability, above 0 and below 1.
        freedom: Degrees of freedom, 1 or more.
    """
    low, high = 0.0, float(freedom)
    while _share_above(high, freedom) > share:
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _share_above(middle, freedom) > share:
            low = middle
        else:
            high = middle
    return high


def _share_above(value: float, freedom: int) -> float:
    if value <= 0:
        return 1.0
    half = value / 2
    is_odd = freedom % 2
    first = erfc(sqrt(half)) if is_odd else 0.0
    orders = (number + is_odd / 2 for number in range(freedom // 2))
    return first + sum(exp(order * log(half) - half - lgamma(order + 1)) for order in orders)
