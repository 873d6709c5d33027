"""What kind of file it is, by its first bytes and by its name."""

import re

from churnstream.files.compression import ByteSource
from churnstream.files.file_errors import FileError

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".tab": "csv",
    ".psv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_WORDS = {
    "csv": "a text file",
    "jsonl": "a JSON Lines file",
    "json": "a JSON file",
    "xlsx": "an Excel workbook",
    "parquet": "a Parquet file",
}
_AS_CSV = "export its table as CSV"
_STRANGERS = {
    rb"%PDF": f"is a PDF document; {_AS_CSV}",
    rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body|table)": (
        "is an HTML page; was a login or error page downloaded instead of the file?"
    ),
    rb"(\xef\xbb\xbf)?\s*<\?xml": f"is an XML file; {_AS_CSV}",
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (
        "is an Excel file of the old format (.xls) or one with a password; save it as .xlsx"
    ),
    rb"PK\x03\x04": "is a document in a zip (OpenDocument?); save it as .xlsx or as CSV",
    rb"\x1f\x8b|\x28\xb5\x2f\xfd|BZh\d|\xfd7zXZ": "is packed twice; unpack it once",
    rb"7z\xbc\xaf|Rar!": "is an archive that is not read here; unpack it first",
    rb"SQLite format 3": f"is an SQLite database; {_AS_CSV}",
    rb"ARROW1|FEA1|Obj\x01|ORC|\x89HDF|PARE": (
        "is a binary file of a format that is not read here; export it as Parquet or CSV"
    ),
    rb"\{\\rtf": f"is a text document (RTF); {_AS_CSV}",
    rb"\x89PNG|\xff\xd8\xff|GIF8": f"is a picture; {_AS_CSV}",
}


def format_of(source: ByteSource, head: bytes) -> str:
    """The format of a file, one of `FORMATS`.

    Args:
        head: Its first bytes, unpacked.

    Raises:
        FileError: It is of no format that is read here, or of another than its name says.
    """
    found = _by_content(source, head)
    said = next((kind for end, kind in _SUFFIXES.items() if source.name.endswith(end)), None)
    if found == "csv" and said in ("jsonl", "json"):
        return said  # its reader says what is wrong
    if {found, said} <= {"jsonl", "json"} or said in (None, found):
        return found
    raise FileError(
        f"is {_WORDS[found]}, and its name says {_WORDS[said]}; name it as what it is, or declare "
        f"the format {found}"
    )


def _by_content(source: ByteSource, head: bytes) -> str:
    if not head:
        raise FileError("is empty; it needs a header and a row for each customer")
    if head.startswith(b"PAR1"):
        return _unpacked(source, "parquet")
    if head.startswith(b"PK\x03\x04") and (b"xl/" in head or b"[Content_Types].xml" in head):
        return _unpacked(source, "xlsx")
    for magic, says in _STRANGERS.items():
        if re.match(magic, head):
            raise FileError(says)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        return "json" if re.match(rb"\[\s*[\[{\]]", text) else "csv"
    return "jsonl" if re.match(rb'\{\s*("|\})', text) else "csv"


def _unpacked(source: ByteSource, kind: str) -> str:
    if source.packing:
        raise FileError(f"holds {_WORDS[kind]}, which is packed in itself; unpack it first")
    return kind
