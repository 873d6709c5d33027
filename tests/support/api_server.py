"""A real API server of Kubernetes on 127.0.0.1, without nodes: it accepts resources and runs none.

Built once with Go from `tests/kube/apiserver`; etcd and kubectl are those that are installed.
"""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import time
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from jvm import cache_folder
from network import HOST, free_ports

SOURCE = Path(__file__).parents[1] / "kube" / "apiserver"
NAMESPACE = "restricted"
_NAMESPACE = f"""\
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
"""
_CONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "https://{at}", insecure-skip-tls-verify: true}}}}]
users: [{{name: u, user: {{token: {token}}}}}]
contexts: [{{name: c, context: {{cluster: c, user: u, namespace: {namespace}}}}}]
current-context: c
"""
_SECONDS = 120


class ApiServer:
    """One server, with a namespace whose pods PodSecurity holds to "restricted".

    Args:
        folder: For its state.

    Attributes:
        config: The kubeconfig of its administrator.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._etcd, self._peer, self._port = free_ports(3)
        self._token = secrets.token_hex()
        self.config = folder / "kubeconfig"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self._prepare()
            self._start("etcd", *self._etcd_flags())
            self._start(str(_built()), *self._flags())
            self._wait_ready()
            assert self.kubectl("apply", "-f", "-", given=_NAMESPACE).returncode == 0
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def kubectl(self, *args: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Call kubectl as the administrator.

        Args:
            given: On standard input.
        """
        command = ["kubectl", "--kubeconfig", str(self.config), *args]
        return subprocess.run(command, input=given, capture_output=True, text=True, check=False)

    def _prepare(self) -> None:
        own, at = self._folder, f"{HOST}:{self._port}"
        (own / "tokens.csv").write_text(f"{self._token},admin,admin,system:masters\n")
        self.config.write_text(_CONFIG.format(at=at, token=self._token, namespace=NAMESPACE))
        self.config.chmod(0o600)
        key = ["openssl", "genrsa", "-out", str(own / "accounts.key"), "2048"]
        subprocess.run(key, check=True, capture_output=True)

    def _etcd_flags(self) -> list[str]:
        client, peer = f"http://{HOST}:{self._etcd}", f"http://{HOST}:{self._peer}"
        return [
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ]

    def _flags(self) -> list[str]:
        key = self._folder / "accounts.key"
        return [
            f"--etcd-servers=http://{HOST}:{self._etcd}",
            f"--bind-address={HOST}",
            f"--secure-port={self._port}",
            f"--cert-dir={self._folder / 'certificates'}",
            f"--token-auth-file={self._folder / 'tokens.csv'}",
            "--service-account-issuer=https://tests",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--feature-gates=ImageVolume=true",  # on by itself in later versions
            # Nothing here makes a namespace's account, which that would wait for.
            "--disable-admission-plugins=ServiceAccount",
        ]

    def _start(self, *command: str) -> None:
        log = self._stack.enter_context((self._folder / f"{Path(command[0]).name}.log").open("w"))
        process = subprocess.Popen(command, stdout=log, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)

    def _wait_ready(self) -> None:
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            if self.kubectl("get", "--raw", "/readyz").returncode == 0:
                return
            time.sleep(0.5)
        logs = "".join(path.read_text()[-2000:] for path in self._folder.glob("*.log"))
        raise AssertionError(f"not ready within {_SECONDS} s:\n{logs}")


def missing() -> str:
    """What to install first, in words; empty if all is there."""
    programs = {
        "etcd": "Debian: apt-get install etcd-server",
        "kubectl": "https://kubernetes.io/docs/tasks/tools",
        "openssl": "Debian: apt-get install openssl",
    }
    if not _program().exists():
        programs["go"] = "Go 1.22 or newer, which builds the API server"
    absent = [f"{name} ({how})" for name, how in programs.items() if not shutil.which(name)]
    return f"install first: {', '.join(absent)}" if absent else ""


def _program() -> Path:
    source = b"".join(path.read_bytes() for path in sorted(SOURCE.iterdir()))
    return cache_folder() / f"kube-apiserver-{sha256(source).hexdigest()[:12]}"


def _built() -> Path:
    """The program; building it takes some minutes of a processor, and 1.6 GB of memory."""
    program = _program()
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        build = ["go", "build", "-trimpath", f"-ldflags={_linked()}", "-o", str(program), "."]
        subprocess.run(["nice", "-n", "15", *build], cwd=SOURCE, check=True)
    return program


def _linked() -> str:
    """Flags that let it say which version it is, as its releases do."""
    found = re.search(r"k8s\.io/kubernetes v((\d+)\.(\d+)\S+)", (SOURCE / "go.mod").read_text())
    assert found
    says = {"gitVersion": f"v{found[1]}", "gitMajor": found[2], "gitMinor": found[3]}
    names = (f" -X k8s.io/component-base/version.{name}={value}" for name, value in says.items())
    return "-s -w" + "".join(names)
