"""The customers of highest risk in a window, each listed once."""

from collections.abc import Sequence
from math import inf

import msgspec
import numpy as np
from numpy.typing import NDArray

from churnstream.records.messages import CustomerEvent


class TopCustomer(msgspec.Struct, frozen=True):
    """A customer of high risk, by the riskiest event of the window, and what explains it.

    Attributes:
        revenue_at_risk: Probability times MonthlyCharges, currency units a month.
        tenure: Months.
        source_partition: Where the event was read.
        source_offset: Its place there.
    """

    customerID: str  # noqa: N815 - the data set's own name
    churn_probability: float
    revenue_at_risk: float
    Contract: str
    tenure: int
    InternetService: str
    OnlineSecurity: str
    TechSupport: str
    PaymentMethod: str
    MonthlyCharges: float
    source_partition: int
    source_offset: int


_COLUMNS_SHOWN = set(TopCustomer.__struct_fields__) & set(CustomerEvent.__struct_fields__)


class TopCustomers:
    """The K customers of highest risk so far, each by its riskiest event.

    Whoever drops out was beaten by K others, and the bar only rises: remembering K is enough.
    """

    def __init__(self, k: int) -> None:
        self._k = k
        self._best: dict[str, TopCustomer] = {}
        self._events: dict[str, CustomerEvent] = {}
        self._bar = -inf  # a probability below it cannot enter

    def add(
        self,
        events: Sequence[CustomerEvent],
        probabilities: NDArray[np.float64],
        partitions: Sequence[int],
        offsets: Sequence[int],
    ) -> None:
        """Consider the events of a batch; all arguments have one length."""
        rows = np.flatnonzero(probabilities >= self._bar)
        for i in rows[np.argsort(-probabilities[rows])].tolist():
            probability = float(probabilities[i])
            if probability < self._bar:
                break
            customer = _top_customer(events[i], probability, int(partitions[i]), int(offsets[i]))
            known = self._best.get(customer.customerID, customer)
            self._best[customer.customerID] = best = min(known, customer, key=_rank)
            if best is customer:
                self._events[customer.customerID] = events[i]
            if len(self._best) >= 2 * self._k:  # the first rows raise the bar for the rest
                self._drop_all_but_k()
        self._drop_all_but_k()

    def _drop_all_but_k(self) -> None:
        best = self.customers()[: self._k]
        self._best = {customer.customerID: customer for customer in best}
        self._events = {name: self._events[name] for name in self._best}
        if len(best) == self._k:
            self._bar = best[-1].churn_probability if best else inf

    def customers(self) -> list[TopCustomer]:
        """Highest risk first."""
        return sorted(self._best.values(), key=_rank)

    def events(self) -> list[CustomerEvent]:
        """The event of each, in the same order."""
        return [self._events[customer.customerID] for customer in self.customers()]


def _top_customer(
    event: CustomerEvent, probability: float, partition: int, offset: int
) -> TopCustomer:
    return TopCustomer(
        **{name: getattr(event, name) for name in _COLUMNS_SHOWN},
        churn_probability=probability,
        revenue_at_risk=probability * event.MonthlyCharges,
        source_partition=partition,
        source_offset=offset,
    )


def _rank(customer: TopCustomer) -> tuple[float, float, str, int, int]:
    """Sorts the highest risk first; ties are settled, so that batches cannot change the order."""
    place = customer.source_partition, customer.source_offset
    return -customer.churn_probability, -customer.MonthlyCharges, customer.customerID, *place
