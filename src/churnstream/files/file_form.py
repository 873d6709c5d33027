"""How a file is to be read: what its user declares, or what was detected."""

from dataclasses import dataclass, replace

from churnstream.errors import ConfigurationError

FORMATS = ("csv", "jsonl", "json", "xlsx", "parquet")
DELIMITER_NAMES = {"\t": "tab", " ": "blank"}
_DELIMITERS = {"tab": "\t", r"\t": "\t", "blank": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
_MARKS = (".", ",", " ", "'", "")


@dataclass(frozen=True)
class FileForm:
    """How a file is to be read; what is None is detected.

    Attributes:
        format: One of `FORMATS`; csv is text of any delimiter.
        encoding: Of a text file, by Python's name for it, as "cp1252".
        delimiter: One character between the cells of a row, or "tab".
        decimal: The decimal sign of numbers, "." or ",".
        thousands: What stands between the thousands of numbers: ".", ",", "'", " " for a blank of
            any kind, or "" for nothing.
        sheet: The name of a sheet of a workbook.
    """

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    sheet: str | None = None

    def checked(self) -> "FileForm":
        """The same with the delimiter as one character.

        Raises:
            ConfigurationError: Something is declared that cannot be.
        """
        if self.format not in (None, *FORMATS):
            raise ConfigurationError(f"format {self.format!r} is none of {', '.join(FORMATS)}")
        if self.encoding is not None:
            _check_encoding(self.encoding)
        if self.decimal not in (None, ".", ","):
            raise ConfigurationError(f"decimal {self.decimal!r} is neither '.' nor ','")
        if self.thousands not in (None, *_MARKS) or self.thousands == self.decimal is not None:
            raise ConfigurationError(
                f"thousands {self.thousands!r} is none of '.', ',', ' ', \"'\", or the decimal sign"
            )
        if self.delimiter is None:
            return self
        delimiter = _DELIMITERS.get(self.delimiter, self.delimiter)
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
            raise ConfigurationError(
                f"delimiter {self.delimiter!r} is no single character such as , ; | or tab"
            )
        return replace(self, delimiter=delimiter)


def _check_encoding(encoding: str) -> None:
    try:
        "a".encode(encoding)
    except (LookupError, ValueError):
        raise ConfigurationError(
            f"encoding {encoding!r} is not known; name one such as utf-8, cp1252, utf-16 or cp1250"
        ) from None
