"""A schema registry on 127.0.0.1, for tests and a demo: built from `kafka/registry` with Go, once.

In a test::

    with Registry(folder) as registry:
        registry.kill()
        registry.start()
"""

from __future__ import annotations

import subprocess
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from jvm import cache_folder, need
from network import HOST, free_ports

SOURCE = Path(__file__).with_name("registry")


class Registry:
    """One process; its schemas survive it.

    Args:
        folder: Keeps the schemas.
        user: With a password, as "user:password"; whoever asks must be this one.

    Attributes:
        url: Where it is.
    """

    def __init__(self, folder: Path, user: str = "") -> None:
        (self._port,) = free_ports(1)
        self.url = f"http://{HOST}:{self._port}"
        self._kept = folder / "schemas.jsonl"
        self._authorization = f"Basic {b64encode(user.encode()).decode()}" if user else ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [str(_built()), f"{HOST}:{self._port}", str(self._kept)]
        command += self._authorization.split()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout
            self._process.stdout.close()
            self._process = None


def _built() -> Path:
    """The program, built if it is not yet; Go fetches what it needs."""
    source = b"".join(path.read_bytes() for path in sorted(SOURCE.iterdir()))
    program = cache_folder() / f"registry-{sha256(source).hexdigest()[:12]}"
    if not program.exists():
        need("go", "Install Go 1.21 or newer (Debian: apt-get install golang-go)")
        program.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["go", "build", "-o", str(program), "."], cwd=SOURCE, check=True)
    return program
