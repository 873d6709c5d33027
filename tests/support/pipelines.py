"""Pipelines of somebody's own, fitted to the bundled customers' schema and adopted."""

from collections.abc import Sequence
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from builders import TELCO, CustomerEvent
from churnstream.model.adopt import adopt
from churnstream.model.compared_kinds import behind_one_hot
from churnstream.model.features import frame
from churnstream.model.train import TrainedModel, labels_of


def adopted(
    customers: Sequence[CustomerEvent], estimator: BaseEstimator | None = None, **settings: Any
) -> TrainedModel:
    """A classifier behind one-hot columns, fitted to customers and measured on the same.

    Args:
        estimator: A logistic regression by default, which is fitted in no time.
    """
    if estimator is None:
        estimator = LogisticRegression(solver="newton-cholesky")
    pipeline = behind_one_hot(estimator, TELCO)
    pipeline.fit(frame(TELCO, customers), labels_of(TELCO, customers))
    return adopt(pipeline, TELCO, customers, **settings)
