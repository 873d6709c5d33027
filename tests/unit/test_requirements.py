import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| [A-Z]+-\d", line)
]
NUMBERS = {"INFRA": 4, "PROD": 5, "CONS": 6, "INTG": 4, "TEST": 5, "DOC": 3, "BONUS": 3}


def test_no_requirement_is_missing() -> None:
    """The table has every requirement once, in order."""
    assert [row[0] for row in ROWS] == [
        f"{group}-{number:02}" for group, most in NUMBERS.items() for number in range(1, most + 1)
    ]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_what_is_named_exists(row: list[str]) -> None:
    """Code and test of a requirement are there."""
    files = re.findall(r"`([^`]+)`", row[3])
    path, name = row[4].strip("`").split("::")

    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")
