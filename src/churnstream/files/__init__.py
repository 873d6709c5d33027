"""Any file of customers as rows of text, in bounded memory.

Every value stays the text that stands in the file, or becomes the shortest text that means the
same where the format is typed: what it means is decided once, by the schema's field.
"""

from churnstream.files.customer_file import CustomerFile
from churnstream.files.form import FileForm
from churnstream.files.names import match_names
from churnstream.files.numbers import plain_numbers
from churnstream.files.opening import open_file

__all__ = ["CustomerFile", "FileForm", "match_names", "open_file", "plain_numbers"]
