"""Writes schemas/ from the record types; a test checks that the files are up to date."""

import json
from pathlib import Path

from churnstream.messages import json_schemas

FOLDER = Path(__file__).parents[1] / "schemas"

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, schema in json_schemas().items():
        (FOLDER / f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n")
