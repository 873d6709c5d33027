"""From a file of customers to scored frames, as in a notebook.

Run it:  python examples/notebook.py customers.csv Churn
"""

import sys

import pandas as pd
import polars as pl

import churnstream as cs

path, label = sys.argv[1:]
schema = cs.infer_schema(path, label=label)
model = cs.train(path, schema)
print(f"{model.test.roc_auc:.3f} ROC AUC on customers that training has not seen")

scored = model.score(pd.read_csv(path))  # a frame of pandas in, a frame of pandas out
print(scored.nlargest(5, "churn_probability")[[schema.id, "churn_probability", "reasons"]])

scored = model.score(pl.read_csv(path))  # and of polars
print(scored.group_by("prediction").len())

model.save("models/notebook")
print(cs.load_model("models/notebook").version)
