"""Ports of 127.0.0.1, and the one question of Kafka's protocol that tells who is alive."""

from __future__ import annotations

import random
import socket
import struct
from typing import BinaryIO

from jvm import ClusterError

HOST = "127.0.0.1"

# Below the ports that the system gives to outgoing connections: or else a client that tries to
# reach a killed broker could be given the broker's own port and keep it from coming back.
PORTS = range(20_000, 32_000)


def free_ports(count: int) -> range:
    """Pick ports in a row that nobody listens on."""
    for first in random.sample(PORTS, len(PORTS)):
        ports = range(first, first + count)
        if all(is_free(port) for port in ports):
            return ports
    raise ClusterError(f"there are no {count} free ports in a row")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the broker itself does
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def require_free(port: int) -> None:
    """Raise unless a server could listen on the port now."""
    if not is_free(port):
        raise ClusterError(f"port {port} is taken: stop what listens there or pass another --port")


def brokers_known_at(port: int) -> set[int]:
    """Ask the broker at a port which brokers it knows as alive; none if it does not answer."""
    metadata_v4_without_client_id = struct.pack(">hhih", 3, 4, 0, -1)
    of_no_topic = struct.pack(">i?", 0, False)
    request = metadata_v4_without_client_id + of_no_topic
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as response:
                return _broker_ids(response)
    except (OSError, struct.error):
        return set()


def _broker_ids(response: BinaryIO) -> set[int]:
    _size, _correlation, _throttle, count = struct.unpack(">iiii", response.read(16))
    ids = set()
    for _ in range(count):
        node, length = struct.unpack(">ih", response.read(6))
        ids.add(node)
        _port, rack = struct.unpack(">ih", response.read(length + 6)[length:])
        response.read(max(rack, 0))
    return ids
