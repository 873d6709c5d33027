"""How large a sum of squares gets by chance alone."""

import pytest
from scipy.special import chdtri

from churnstream.analysis.chi_square import exceeded_by


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 10, 25, 60, 333, 1000, 5001])
@pytest.mark.parametrize("share", [1e-12, 1e-5, 5e-5, 0.001, 0.05, 0.5, 0.99])
def test_it_is_what_scipy_says(freedom: int, share: float) -> None:
    """The closed form agrees with scipy's for any number of bins and any share."""
    assert exceeded_by(share, freedom) == pytest.approx(chdtri(freedom, share), rel=1e-9, abs=1e-12)
