import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnstream.errors import DataError
from churnstream.files.file_form import FileForm
from churnstream.files.open_file import open_file


def written(folder: Path, content: str, name: str = "c.jsonl", encoding: str = "utf-8") -> Path:
    """A file with some content."""
    (folder / name).write_bytes(content.encode(encoding))
    return folder / name


def rows(path: Path) -> list[dict[str, Any]]:
    """All rows."""
    return [row for batch in open_file(path).batches(100) for row in batch.to_pylist()]


def complaint(path: Path) -> str:
    """The error that opening the file ends in, its folder left out."""
    with pytest.raises(DataError) as caught:
        open_file(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{path.parent}/", "")


LINES = '{"id":1,"a":{"b":1.0,"c":{"d":"x"}}}\n{"id":"2","t":true,"a":{"b":1.50},"n":null}\n'
ROWS = [
    {"id": "1", "a.b": "1", "a.c.d": "x", "t": None, "n": None},
    {"id": "2", "a.b": "1.50", "a.c.d": None, "t": "true", "n": None},
]


@pytest.mark.parametrize("name", ["c.jsonl", "c.ndjson", "c.json"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_lines(tmp_path: Path, name: str, encoding: str) -> None:
    """Objects are flattened with dots, and what an object lacks is missing."""
    assert rows(written(tmp_path, LINES, name, encoding)) == ROWS


@pytest.mark.parametrize("name", ["c.json", "c.jsonl", "c"])
def test_an_array_of_objects(tmp_path: Path, name: str) -> None:
    """One array is read like lines."""
    path = written(tmp_path, f"[{','.join(LINES.splitlines(keepends=True))}]\n", name)
    file = open_file(path)

    assert (rows(path), file.form.format, file.row_name(1)) == (ROWS, "json", "object 2")


def test_compressed_json_lines(tmp_path: Path) -> None:
    """JSON Lines may be compressed."""
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(LINES.encode()))

    assert rows(tmp_path / "c.jsonl.gz") == ROWS


def test_a_key_may_come_late(tmp_path: Path) -> None:
    """Every key of the file is a column, wherever it comes first."""
    file = open_file(written(tmp_path, '{"a":"x"}\n' * 20_000 + '{"b":"y"}\n'))

    assert (file.columns, file.row_count()) == (("a", "b"), 20_001)


def test_numbers_stay_exact(tmp_path: Path) -> None:
    """Large numbers lose no digit."""
    path = written(tmp_path, '{"a":123456789012345678901234567890,"b":-0.10,"c":1e400}\n')

    assert rows(path) == [{"a": "123456789012345678901234567890", "b": "-0.10", "c": "1e400"}]


def test_lists_are_left_out(tmp_path: Path) -> None:
    """A column that holds a list anywhere is left out, and it is said."""
    file = open_file(written(tmp_path, '{"a":1,"l":"x"}\n{"a":2,"l":[1]}\n'))

    assert (file.columns, file.notes) == (("a",), ["column 'l' holds lists and is left out"])


@pytest.mark.parametrize(("gap", "name"), [("", "line 2"), ("\n", "object 2")])
def test_row_names(tmp_path: Path, gap: str, name: str) -> None:
    """A row is named by its line, unless blank lines make that wrong."""
    file = open_file(written(tmp_path, f'{{"a":1}}\n{gap}{{"a":2}}\n\n'))

    assert (file.row_name(1), file.row_count()) == (name, 2)


def test_marks_of_numbers_in_texts(tmp_path: Path) -> None:
    """Texts with a decimal comma are said to have one."""
    file = open_file(written(tmp_path, '{"a":"1,5"}\n{"a":"2,75"}\n'))

    assert (file.form.decimal, file.notes) == (",", ["decimal comma"])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"a":1}\n{"a":}\n', "line 2 is no JSON object: "),
        ('{"a":1}\n[1]\n', "line 2 is no JSON object: "),
        ('{"a":1}\n\n{"a":NaN}\n', "line 3 is no JSON object: "),
        ('{"a":{"b":1},"a.b":2}\n', "line 1 has a name twice when its objects are flattened"),
        ('{"a":' * 20 + "1" + "}" * 20, "nested more than 16 deep"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "c.jsonl: line 1 "),  # too deep for a parser, or us
        ('{"a":"' + "x" * 600_000 + '"}', "line 1 is longer than 262144 bytes"),
        ("".join(f'{{"a{n}":1}}\n' for n in range(6_000)), "has more than 5,000 different names"),
        ("{}\n", "has no rows; it needs an object for each customer"),
        ("[1, 2]", "object 1 is no JSON object: "),
        ('[{"a":1},', "is no JSON array of objects"),
        ("hello", "is no JSON array of objects"),
    ],
)
def test_what_is_no_json(tmp_path: Path, content: str, says: str) -> None:
    """A line that is no object, or cannot be a row, is named."""
    name = "c.jsonl" if content.startswith("{") else "c.json"
    assert says in complaint(written(tmp_path, content, name))


def test_json_in_another_encoding(tmp_path: Path) -> None:
    """JSON that is no UTF-8 is named by its line, unless the encoding is declared."""
    path = written(tmp_path, '{"a":1}\n{"a":"Köln"}\n', encoding="cp1252")

    assert "line 2 is not UTF-8 text; save the file as UTF-8, or declare" in complaint(path)
    assert open_file(path, FileForm(encoding="cp1252")).sample(2, 1)["a"].to_pylist() == [
        "1",
        "Köln",
    ]


VALUE = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
KEY = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=3)


def as_text(value: Any) -> str | None:
    """What a value becomes."""
    return str(value).lower() if isinstance(value, bool) else value and str(value)


@settings(deadline=None)
@given(
    found=st.lists(st.dictionaries(KEY, VALUE, min_size=1, max_size=4), min_size=1, max_size=8),
    is_array=st.booleans(),
    ascii_only=st.booleans(),
)
def test_any_objects_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[dict[str, Any]],
    is_array: bool,
    ascii_only: bool,
) -> None:
    """Whatever flat objects are written, as lines or as an array, their texts come back."""
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in found]
    path = tmp_path_factory.getbasetemp() / ("any.json" if is_array else "any.jsonl")
    path.write_text(f"[{','.join(lines)}]" if is_array else "\n".join(lines), "utf-8")

    names = {name for row in found for name in row}
    texts = [
        {
            name: None
            if row.get(name) is None
            else as_text(row[name])
            if row[name] != 0 or isinstance(row[name], bool)
            else "0"
            for name in names
        }
        for row in found
    ]
    assert rows(path) == texts
