"""A real API server with its etcd, as the ecosystem's envtest has it.

``KUBEBUILDER_ASSETS`` names the folder of ``kube-apiserver`` and ``etcd``; without it the tests
that need them skip.  One server serves all tests of a process, and ends with it, also if it is
killed.
"""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from ssl import create_default_context

import attrs
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.support.guard import Guard

ASSETS = "KUBEBUILDER_ASSETS"
NEEDED = ("kube-apiserver", "etcd", "openssl")
START = 60.0
"""Seconds in which it must be ready."""

ADMIN = "envtest-admin"
"""The token of an administrator."""
ACCOUNT = "system:serviceaccount:twistdp-system:twistdp-operator"
"""The operator's service account."""
TOKENS = (
    f'{ADMIN},admin,admin,"system:masters"',
    'envtest-nobody,nobody,nobody,"nobodies"',
    f"envtest-operator,{ACCOUNT},operator,"
    '"system:serviceaccounts,system:serviceaccounts:twistdp-system"',
)
OPERATOR = "envtest-operator"
"""The token of the operator's service account, whose rights are those that a test gives it."""
NOBODY = "envtest-nobody"
"""The token of a user without any rights."""


@attrs.frozen
class RealApiServer:
    """Where a real API server is; `ca` is the file of its certificate."""

    url: str
    ca: str


class _Running:
    """The processes of one API server."""

    def __init__(self, assets: str) -> None:
        self._assets = Path(assets)
        self._directory = Path(tempfile.mkdtemp(prefix="tdp-envtest-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._guard: Guard | None = None

    def start(self) -> RealApiServer:
        """Start both, and wait until they are ready."""
        client, peer, port = _free_ports(3)
        base = self._directory
        etcd, key = f"http://127.0.0.1:{client}", str(base / "sa.key")
        self._run(
            "etcd",
            f"--data-dir={base / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
            "--unsafe-no-fsync",
        )
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        tokens = base / "tokens.csv"
        tokens.write_text("\n".join(TOKENS) + "\n")
        self._run(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={base / 'certs'}",
            "--service-account-issuer=https://envtest.example.com",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--service-cluster-ip-range=10.0.0.0/24",
        )
        self._guard = Guard(base, [process.pid for process in self._processes])
        url, ca = f"https://127.0.0.1:{port}", str(base / "certs" / "apiserver.crt")
        self._wait(url, ca)
        return RealApiServer(url, ca)

    def _run(self, name: str, *arguments: str) -> None:
        with open(self._directory / f"{name}.log", "wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [str(self._assets / name), *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._directory,
                )
            )

    def _wait(self, url: str, ca: str) -> None:
        deadline = time.monotonic() + START
        request = urllib.request.Request(
            f"{url}/readyz", headers={"Authorization": f"Bearer {ADMIN}"}
        )
        while True:
            try:
                with urllib.request.urlopen(
                    request, timeout=5, context=create_default_context(cafile=ca)
                ):
                    return
            except OSError as error:
                ended = any(process.poll() is not None for process in self._processes)
                if ended or time.monotonic() > deadline:
                    log = (self._directory / "kube-apiserver.log").read_text()
                    self.stop()
                    raise AssertionError(f"the API server does not start: {log[-3000:]}") from error
                time.sleep(0.1)

    def stop(self) -> None:
        """End both, and leave nothing behind."""
        if self._guard is not None:
            self._guard.leave()
            self._guard = None
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


_lock = threading.Lock()
_server: list[RealApiServer] = []


def _started(assets: str) -> RealApiServer:
    with _lock:
        if not _server:
            running = _Running(assets)
            atexit.register(running.stop)
            _server.append(running.start())
        return _server[0]


async def real_api_server() -> RealApiServer:
    """The API server of this process; skips the test where there is none."""
    assets = os.environ.get(ASSETS)
    if not assets:
        raise SkipTest(f"no real API server: set {ASSETS} to a folder with kube-apiserver and etcd")
    for name in NEEDED:
        if not (shutil.which(name) or os.access(Path(assets) / name, os.X_OK)):
            raise SkipTest(f"no real API server: there is no {name} in {assets}")
    server: RealApiServer = await deferToThread(_started, assets)
    return server
