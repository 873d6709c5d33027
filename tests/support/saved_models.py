"""A saved model to tamper with."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from churnstream.errors import ModelError
from churnstream.model.manifest import MANIFEST_NAME, load


def scoring_file(folder: Path) -> Path:
    """The file that the manifest in a folder describes."""
    manifest = msgspec.json.decode((folder / MANIFEST_NAME).read_bytes())
    [path] = folder.glob(f"*-{manifest['sha256'][:16]}.*")
    return path


def edit(folder: Path, **changes: Any) -> None:
    """Change fields of a manifest."""
    path = folder / MANIFEST_NAME
    path.write_bytes(msgspec.json.encode(msgspec.json.decode(path.read_bytes()) | changes))


def exchange(folder: Path, content: bytes) -> None:
    """Another file that scores, with its digest in its name and in the manifest."""
    digest, old = hashlib.sha256(content).hexdigest(), scoring_file(folder)
    old.unlink()
    old.with_name(f"{old.name.partition('-')[0]}-{digest[:16]}{old.suffix}").write_bytes(content)
    edit(folder, sha256=digest)


def change_at(held: Any, path: str, value: Any) -> None:
    """Put a value into nested objects and arrays, at a path with slashes between."""
    *above, last = path.split("/")
    for key in above:
        held = held[int(key) if isinstance(held, list) else key]
    held[int(last) if isinstance(held, list) else last] = value


def refusal(folder: Path) -> str:
    """What `load` says: always one line that names the place."""
    with pytest.raises(ModelError) as caught:
        load(folder)
    line = str(caught.value)
    assert "\n" not in line
    assert str(folder) in line
    return line
