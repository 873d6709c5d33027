"""A way to a broker that can deny, for a moment, that its cluster has any brokers; or be cut.

A broker that comes back from a freeze does the first until its controller has let it in again.
That moment is short and hard to meet; here a test makes it last. The second is what a firewall or a
cable does: connections stay open at the client's end, and nothing comes through them ever again.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

_HOST = "127.0.0.1"
_METADATA, _FIND_COORDINATOR = 3, 10
_COORDINATOR_NOT_AVAILABLE = 15


class _Asked(NamedTuple):
    """What a response answers: api_key and api_version of the request."""

    key: int
    version: int


class ForgetfulBroker:
    """Passes everything on between its clients and one broker, whose address it hides.

    Where the protocol's answers name brokers (Metadata from version 10 on, FindCoordinator up to 2;
    https://kafka.apache.org/protocol), it names itself.

    Args:
        host: Of the broker.
        port: Of the broker, the only one of its cluster.

    Attributes:
        denying: While it is set, there are no brokers, and no coordinators.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.denying = threading.Event()
        self._clients: set[socket.socket] = set()
        self._dead: set[socket.socket] = set()
        self._is_cut = False
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer._serve(self.request)

        self._server = socketserver.ThreadingTCPServer((_HOST, 0), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_address[1]

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._clients)

    def cut(self) -> None:
        """Let nothing through the connections that there are, nor through new ones."""
        self._is_cut = True
        self._dead |= self._clients

    def mend(self) -> None:
        """Let new connections through again; those that were cut stay dead."""
        self._is_cut = False

    @property
    def address(self) -> str:
        """What clients connect to."""
        return f"{_HOST}:{self._port}"

    def __enter__(self) -> ForgetfulBroker:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, client: socket.socket) -> None:
        """Pass frames on in both directions until one side ends the connection."""
        asked: dict[int, _Asked] = {}

        def note(frame: bytes) -> bytes:
            key, version, correlation = struct.unpack_from(">hhi", frame)
            asked[correlation] = _Asked(key, version)
            return frame

        def rewrite(frame: bytes) -> bytes:
            return self._rewrite(frame, asked.pop(struct.unpack_from(">i", frame)[0]))

        def is_dead() -> bool:
            return client in self._dead

        with socket.create_connection(self._target) as broker:
            self._clients.add(client)
            if self._is_cut:
                self._dead.add(client)
            answers = (broker, client, rewrite, is_dead)
            back = threading.Thread(target=_pass_on, args=answers, daemon=True)
            back.start()
            _pass_on(client, broker, note, is_dead)
            back.join()
            self._clients.discard(client)

    def _rewrite(self, frame: bytes, asked: _Asked) -> bytes:
        if asked.key == _METADATA:
            return self._metadata(frame)
        if asked.key == _FIND_COORDINATOR:
            return self._coordinator(frame, asked.version)
        return frame

    def _metadata(self, frame: bytes) -> bytes:
        """Correlation (4), tags (1), throttle time (4), brokers, and the rest as it was."""
        count, at = _uvarint(frame, 9)
        node = struct.unpack_from(">i", frame, at)[0] if count > 1 else None
        for _ in range(count - 1):
            length, at = _uvarint(frame, at + 4)
            rack, at = _uvarint(frame, at + length - 1 + 4)
            at += max(rack - 1, 0) + 1  # and no tags
        if self.denying.is_set():
            return frame[:9] + b"\x01" + frame[at:]
        if node is None:
            return frame
        host = _HOST.encode()
        own = struct.pack(">iB", node, len(host) + 1) + host + struct.pack(">iBB", self._port, 0, 0)
        return frame[:9] + b"\x02" + own + frame[at:]

    def _coordinator(self, frame: bytes, version: int) -> bytes:
        """Correlation (4), throttle time (4), error (2), message, node (4), host, port (4)."""
        assert version in (1, 2), version
        error, length = struct.unpack_from(">hh", frame, 8)
        at = 12 + max(length, 0)
        if self.denying.is_set():
            return frame[:8] + struct.pack(">hhihi", _COORDINATOR_NOT_AVAILABLE, -1, -1, 0, -1)
        if error:
            return frame
        host = _HOST.encode()
        own = struct.pack(">h", len(host)) + host + struct.pack(">i", self._port)
        return frame[: at + 4] + own


def _pass_on(
    source: socket.socket,
    target: socket.socket,
    seen: Callable[[bytes], bytes],
    is_dead: Callable[[], bool],
) -> None:
    """Pass frames on, as `seen` returns them; then end the other side's connection too."""
    try:
        with suppress(OSError), source.makefile("rb") as stream:
            while len(size := stream.read(4)) == 4:
                frame = seen(stream.read(struct.unpack(">i", size)[0]))
                if not is_dead():
                    target.sendall(struct.pack(">i", len(frame)) + frame)
    finally:
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _uvarint(frame: bytes, at: int) -> tuple[int, int]:
    """An unsigned varint and the place behind it."""
    value = shift = 0
    while True:
        byte = frame[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
