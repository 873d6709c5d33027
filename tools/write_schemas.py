"""Writes schemas/ from the record types; a test checks that the files are up to date."""

import json
from pathlib import Path

from FIXME import json_schemas

FOLDER = Path(__file__).parents[1] / "schemas"


def files() -> dict[Path, str]:
    """A JSON Schema for each record."""
    return {
        FOLDER / f"{name}.json": json.dumps(schema, indent=2) + "\n"
        for name, schema in json_schemas().items()
    }


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content)
