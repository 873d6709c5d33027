"""Writes schemas/ from the records of the Telco schema; a test checks that they are up to date."""

import json
from pathlib import Path

from churnstream.codecs.json_schema import json_schemas
from churnstream.schema import schema_file

FOLDER = Path(__file__).parents[1] / "schemas"
TELCO = schema_file.read(schema_file.TELCO_FILE)
ABOUT = """One customer as the Telco data set has it, at one moment.

Attributes:
    tenure: Months with the company, 0 or more.
    MonthlyCharges: Currency units a month, 0 or more.
    TotalCharges: Currency units so far; null, which only fits `tenure` 0, where there are none.
    event_ts: When the row was observed, RFC 3339 with an offset; becomes UTC.
    Churn: The label, where it is known already."""


def files() -> dict[Path, str]:
    """A JSON Schema for each record."""
    return {
        FOLDER / f"{name}.json": json.dumps(schema, indent=2) + "\n"
        for name, schema in json_schemas(TELCO, ABOUT).items()
    }


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content)
