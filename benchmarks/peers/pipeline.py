"""A scikit-learn pipeline, called for one event at a time."""

from pathlib import Path
from typing import Any

import pandas as pd
import skops.io


class PerEvent:
    """A model call for each event, as scikit-learn's examples show it."""

    def __init__(self, folder: str) -> None:
        (path,) = Path(folder).glob("pipeline-*.skops")
        # This file was written a moment ago by the benchmark itself.
        self._pipeline = skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
        self._columns = list(self._pipeline.feature_names_in_)

    def score(self, event: dict[str, Any]) -> dict[str, Any]:
        """A prediction for one decoded event."""
        row = {name: event[name] for name in self._columns}
        row["TotalCharges"] = float(row["TotalCharges"] or 0)
        probability = float(self._pipeline.predict_proba(pd.DataFrame([row]))[0, 1])
        return {"customerID": event["customerID"], "churn_probability": probability}
