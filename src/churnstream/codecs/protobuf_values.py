"""Protobuf messages, as JSON has them, by the files that they were written with.

A registry has the files as people write them. Their compiler runs in a process of its own, with a
time limit, since a file may be anybody's.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from churnstream.codecs.registry_framing import WriterSchema, message_place
from churnstream.codecs.source_records import Unreadable

if TYPE_CHECKING:
    from google.protobuf.descriptor import FileDescriptor

_TIMEOUT = 30.0  # seconds that compiling may take
_OWN = "registered.proto"
_MAX_WORDS = 300
_KNOWN_TYPES = "google.protobuf."  # whose JSON is their own


def protobuf_reader(schema: WriterSchema) -> Callable[[bytes], Any]:
    """What reads messages of a schema, each with its place in the file before it.

    Fields that are not set have the value that Protobuf gives them then; optional ones are null.

    Returns:
        A function of a value's bytes, which raises `Unreadable` if they are no such message.

    Raises:
        Unreadable: It is no schema.
    """
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError
    from google.protobuf.message_factory import GetMessageClass

    file = _compiled(schema)

    def read(payload: bytes) -> Any:  # noqa: ANN401  # as JSON has it
        try:
            place, content = message_place(payload)
            message = GetMessageClass(_message_at(file, place))()
            message.ParseFromString(content)
            found = MessageToDict(
                message,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )
        except (DecodeError, ValueError, TypeError, OverflowError) as error:
            raise Unreadable(str(error)) from error
        _fill_gaps(found, message.DESCRIPTOR)
        return found

    return read


def _fill_gaps(found: Any, descriptor: Any) -> None:  # noqa: ANN401  # a Descriptor
    """Put null where an optional field is not set: it is left out in Protobuf's own JSON."""
    if not isinstance(found, dict) or descriptor.full_name.startswith(_KNOWN_TYPES):
        return
    for name, message in _with_presence(descriptor):
        if found.setdefault(name) is not None and message:
            _fill_gaps(found[name], message)


@lru_cache(maxsize=1024)
def _with_presence(descriptor: Any) -> list[tuple[str, Any]]:  # noqa: ANN401
    return [(one.name, one.message_type) for one in descriptor.fields if one.has_presence]


def message_class(schema: WriterSchema) -> Any:  # noqa: ANN401  # a Message
    """The type of the first message of a schema of ours, to write with."""
    from google.protobuf.message_factory import GetMessageClass

    return GetMessageClass(_message_at(_compiled(schema), (0,)))


def _message_at(file: "FileDescriptor", place: tuple[int, ...]) -> Any:  # noqa: ANN401
    """The type of a message: its number in the file, then of each within the one before."""
    messages, found = list(file.message_types_by_name.values()), None
    for number in place:
        if not 0 <= number < len(messages):
            raise ValueError(f"its schema has no message {'.'.join(map(str, place))}")
        found = messages[number]
        messages = list(found.nested_types)
    return found


def _compiled(schema: WriterSchema) -> "FileDescriptor":
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool

    pool = DescriptorPool()
    try:
        for file in FileDescriptorSet.FromString(_compile(schema)).file:
            pool.Add(file)
        return pool.FindFileByName(_OWN)
    except (TypeError, KeyError, ValueError) as error:
        raise Unreadable(f"is no Protobuf schema: {error}") from error


def _compile(schema: WriterSchema) -> bytes:
    """All files of a schema as the compiler describes them."""
    with TemporaryDirectory() as folder:
        _write(Path(folder), {**schema.references, _OWN: schema.text})
        target = Path(folder, "described")
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"-I{_known()}"]
        command += ["--include_imports", f"--descriptor_set_out={target}", _OWN]
        try:
            ran = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False)
        except subprocess.TimeoutExpired as error:
            raise Unreadable(f"takes more than {_TIMEOUT:g} s to compile") from error
        if ran.returncode:
            said = " ".join(ran.stderr.decode(errors="replace").split())[:_MAX_WORDS]
            raise Unreadable(f"is no Protobuf schema: {said}")
        return target.read_bytes()


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    for name, text in texts.items():
        path = Path(folder, name)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise Unreadable(f"refers to {name}, which is no name of a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _known() -> str:
    """The folder of the files that all may import, google/protobuf/timestamp.proto among them."""
    return str(files("grpc_tools") / "_proto")
