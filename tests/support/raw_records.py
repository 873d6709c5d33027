"""Records that the client library for Python cannot write, but other clients can."""

from __future__ import annotations

import ctypes
from pathlib import Path

import confluent_kafka

# Tags of rd_kafka_producev's arguments (rd_kafka_vtype_t in librdkafka's rdkafka.h).
_END, _TOPIC, _VALUE, _KEY, _FLAGS, _HEADERS = 0, 1, 4, 5, 7, 10
_COPY = 2  # RD_KAFKA_MSG_F_COPY


def send_with_header_name(
    servers: str, topic: str, name: bytes, *, value: bytes, key: bytes
) -> None:
    """Write one record with a header whose name is these bytes, through the C library itself."""
    library = _library()
    reason = ctypes.create_string_buffer(500)
    settings = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(settings, b"bootstrap.servers", servers.encode(), reason, 500)
    producer = library.rd_kafka_new(0, settings, reason, 500)
    assert producer, reason.value
    headers = library.rd_kafka_headers_new(1)
    library.rd_kafka_header_add(headers, name, len(name), b"1", 1)
    sized = ((_VALUE, value), (_KEY, key))
    contents = [x for tag, data in sized for x in (tag, data, ctypes.c_size_t(len(data)))]
    error = library.rd_kafka_producev(
        ctypes.c_void_p(producer),
        *(_TOPIC, topic.encode(), *contents, _FLAGS, _COPY),
        *(_HEADERS, ctypes.c_void_p(headers), _END),
    )
    assert error == 0
    assert library.rd_kafka_flush(producer, 30_000) == 0
    library.rd_kafka_destroy(producer)


def _library() -> ctypes.CDLL:
    """The C library that comes with the client, its functions declared."""
    beside = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    library = ctypes.CDLL(str(next(beside.glob("librdkafka*.so*"))))
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", ctypes.c_int, [pointer, text, text, text, size]),
        ("rd_kafka_new", pointer, [ctypes.c_int, pointer, text, size]),
        ("rd_kafka_headers_new", pointer, [size]),
        ("rd_kafka_header_add", ctypes.c_int, [pointer, text, size, text, size]),
        ("rd_kafka_flush", ctypes.c_int, [pointer, ctypes.c_int]),
        ("rd_kafka_destroy", None, [pointer]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
