"""How much memory the sheets of a workbook take, by their XML: calamine reads them whole.

A sheet is held as a rectangle up to its last row and column: a file of 5 kB with a cell in XFD1048576
would take 500 GB, and one long text that a million cells share a million times its length.
"""

import re
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from churnstream.files.faults import FileFault

_MAX_UNPACKED = 1 * 2**30  # bytes of all sheets
_MAX_CELLS = 40_000_000  # of a sheet; 32 bytes each
_MAX_TEXTS = 512 * 2**20  # bytes of all texts of a sheet
_PIECE = 2**20
_OVERLAP = 256
