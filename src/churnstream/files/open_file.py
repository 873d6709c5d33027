"""Opens a file of customers, whatever it is."""

from pathlib import Path

from churnstream.files.compression import ByteSource, look_into
from churnstream.files.customer_file import CustomerFile, FileTable
from churnstream.files.delimited import open_delimited
from churnstream.files.file_errors import FileError, faults_named
from churnstream.files.file_form import FileForm
from churnstream.files.file_format import format_of

_DETECT = FileForm()


def open_file(path: Path, form: FileForm = _DETECT) -> CustomerFile:
    """Look at a file, and say how it is read.

    Args:
        form: What is known of it; the rest is detected, and what is not as usual is in the notes.

    Raises:
        DataError: It cannot be read, is no table of customers, or is broken where one looks.
        ConfigurationError: Something is declared that cannot be.
    """
    form = form.checked()
    with faults_named(path):
        if path.exists() and not path.is_file() and not path.is_dir():
            raise FileError("is no file but a pipe or a device; write it to a file first")
        source = look_into(path)
        kind = form.format or format_of(source, source.beginning())
        return CustomerFile(path, _table(source, kind, form))


def _table(source: ByteSource, kind: str, form: FileForm) -> FileTable:
    # Each reader brings libraries along.
    if kind == "parquet":
        from churnstream.files.parquet_table import open_parquet

        return open_parquet(source, form)
    if kind == "xlsx":
        from churnstream.files.excel import open_workbook

        return open_workbook(source, form)
    if kind in ("json", "jsonl"):
        from churnstream.files.json_objects import open_json

        return open_json(source, form, kind)
    return open_delimited(source, form)
