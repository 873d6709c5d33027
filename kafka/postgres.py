"""A PostgreSQL of its own on 127.0.0.1, for the demo and for tests; nothing of it stays.

with Postgres() as database:
    database.run("create table customers (id text primary key)")
    database.table("select * from customers")  # rows of texts
"""

from __future__ import annotations

import atexit
import csv
import io
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from jvm import ClusterError, complaint
from network import HOST, free_ports

ADVICE = "Install PostgreSQL 15 or newer (Debian: apt-get install postgresql)"
ACCOUNT = "postgres"  # of the system, which Debian's package makes: the server does not run as root
_IS_ROOT = os.geteuid() == 0
_AS_ACCOUNT = (
    ("setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups") if _IS_ROOT else ()
)
_READY_WITHIN, _ENDS_WITHIN = 60, 20  # seconds


class Postgres:
    """A server with one empty database, which writes its changes down for connectors to read.

    Attributes:
        environment: The variables by which `psql` and connectors find it.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.gettempdir(), f"churnstream-postgres-{secrets.token_hex(8)}")
        self.port = free_ports(1)[0]
        self.environment: Mapping[str, str] = {
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGDATABASE": "postgres",
            "PGUSER": "churnstream",
            "PGPASSWORD": secrets.token_urlsafe(),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Postgres:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def version(self) -> str:
        """As the server says it."""
        return self.table("show server_version")[0][0].split()[0]

    def start(self) -> None:
        """Make the database and return once it answers."""
        atexit.register(self.stop)
        try:
            self.folder.mkdir(mode=0o700)
            self._make()
            self._serve()
        except BaseException:  # also when the user interrupts the wait
            self.stop()
            raise

    def stop(self) -> None:
        """End it and remove what it wrote."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # does not wait for who is connected
            self._process.wait(_ENDS_WITHIN)
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def run(self, statements: str, rows: str = "", *, layout: str = "csv") -> str:
        """Run statements in one transaction.

        Args:
            rows: What a `copy … from stdin` reads.
            layout: One of psql's formats: csv, aligned, …

        Returns:
            What `psql` printed, with a header.

        Raises:
            ClusterError: One of them failed.
        """
        options = ["--no-psqlrc", "--quiet", "--single-transaction", "-v", "ON_ERROR_STOP=1"]
        printed = ["-P", f"format={layout}", "-P", "footer=off"]
        done = subprocess.run(
            [_program("psql"), *options, *printed, "-c", statements],
            env=os.environ | self.environment,
            input=rows,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ClusterError(f"PostgreSQL: {complaint(done.stderr)}")
        return done.stdout

    def table(self, query: str) -> list[list[str]]:
        """The rows of a query, as texts."""
        _header, *rows = csv.reader(io.StringIO(self.run(query)))
        return rows

    def number(self, query: str) -> int:
        """The only value of a query."""
        return int(self.table(query)[0][0])

    def _make(self) -> None:
        """Make the database's files, which belong to an account that is not root."""
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self.environment["PGPASSWORD"])
        if _IS_ROOT:
            for path in (self.folder, password):
                shutil.chown(path, ACCOUNT)
        access = ("--auth=scram-sha-256", f"--pwfile={password}", "-U", self.environment["PGUSER"])
        command = [*_AS_ACCOUNT, _program("initdb"), *access, "--encoding=UTF8", "--no-sync"]
        done = subprocess.run(
            [*command, "-D", str(self.folder / "data")],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        password.unlink()
        if done.returncode != 0:
            raise ClusterError(f"PostgreSQL cannot be set up: {complaint(done.stderr)}")

    def _serve(self) -> None:
        settings = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "wal_level": "logical",  # writes down what connectors read
            "timezone": "UTC",  # of times that do not say theirs, such as those of a sink in Avro
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*_AS_ACCOUNT, _program("postgres"), "-D", str(self.folder / "data"), *options],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _READY_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = complaint(self._log.read_text(errors="replace"))
                raise ClusterError(f"PostgreSQL does not answer: {said}")
            time.sleep(0.1)

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _answers(self) -> bool:
        try:
            return self.table("select 1") == [["1"]]
        except ClusterError:
            return False


def _program(name: str) -> str:
    """Where one of PostgreSQL's programs is; Debian keeps most of them off the path."""
    found = [*Path("/usr/lib/postgresql").glob(f"*/bin/{name}")]
    newest = max(found, key=lambda path: int(path.parts[4]), default=None)
    program = str(newest) if newest else shutil.which(name)
    if program is None:
        raise ClusterError(f"{name} is not installed. {ADVICE}")
    return program
