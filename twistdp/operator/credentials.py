"""Where the API server is, and how the operator shows who it is."""

import base64
import os
import ssl
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Final

import attrs
import yaml

from twistdp.errors import BadSetting
from twistdp.operator.keys import load_chain

SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds its own token, namespace and the certificate of the API server's authority."""


class Token:
    """A bearer token, from a file that is read again whenever it changes, or a fixed one."""

    def __init__(self, path: str | None = None, fixed: str = "") -> None:
        self._path = path
        self._value = fixed
        self._seen: tuple[int, int, int] | None = None

    def value(self) -> str:
        """Return the newest token; the last one that was read if the file cannot be read now."""
        if self._path is not None:
            try:
                found = os.stat(self._path)
                stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
                if stamp != self._seen:
                    with open(self._path, encoding="ascii") as file:
                        self._value = file.read().strip() or self._value
                    self._seen = stamp
            except (OSError, UnicodeDecodeError):
                self._seen = None
        return self._value


@attrs.frozen
class Cluster:
    """An API server, as ``https://10.96.0.1:443``, and what a client of it needs."""

    server: str
    tls: ssl.SSLContext | None = None
    """None for plain HTTP."""
    token: Token | None = None
    """None if a certificate or nothing shows who the client is."""
    namespace: str = ""
    """The namespace that goes with the credentials; empty if there is none."""


def in_cluster(
    environ: Mapping[str, str] = os.environ, directory: str = SERVICE_ACCOUNT
) -> Cluster:
    """Return the cluster that this pod is in; raises `BadSetting` outside of pods."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise BadSetting(
            "this process runs in no pod, since KUBERNETES_SERVICE_HOST is not set; "
            "give --kubeconfig=FILE"
        )
    token = Token(os.path.join(directory, "token"))
    authority = os.path.join(directory, "ca.crt")
    if not token.value():
        raise BadSetting(
            f"{directory}/token cannot be read: the pod needs the token of its service account; "
            "leave automountServiceAccountToken out"
        )
    try:
        tls = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise BadSetting(f"{authority}: {error.strerror or error}") from error
    namespace = ""
    try:
        with open(os.path.join(directory, "namespace"), encoding="utf-8") as file:
            namespace = file.read().strip()
    except OSError:
        pass  # --namespace may give it
    name = f"[{host}]" if ":" in host else host
    return Cluster(f"https://{name}:{port}", tls, token, namespace)


def from_kubeconfig(path: str, context: str = "") -> Cluster:
    """Return the cluster of a context of a kubeconfig file, the current one by default.

    It takes tokens, token files and certificates.  Raises `BadSetting` with the place of whatever
    cannot be used.
    """
    try:
        with open(path, encoding="utf-8") as file:
            config = yaml.safe_load(file)
    except OSError as error:
        raise BadSetting(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    entries = _Entries(path, config)
    name = context or entries.text(entries.top, "current-context", "")
    if not name:
        raise BadSetting(f"{path}: current-context is missing; set one")
    chosen = entries.named("context", name)
    cluster = entries.named("cluster", entries.text(chosen, "cluster"))
    user = entries.named("user", entries.text(chosen, "user")) if "user" in chosen else {}
    server = entries.text(cluster, "server").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise BadSetting(f"{path}: server {server} is no URL; write it as https://HOST:PORT")
    for key in ("exec", "auth-provider", "username", "as"):
        if key in user:
            raise BadSetting(
                f"{path}: a user with {key} cannot be used; make a kubeconfig with the token of a "
                "service account, or with a certificate"
            )
    for key, instead in (
        ("proxy-url", "the API server's own address"),
        ("tls-server-name", "a server of the name that its certificate has"),
    ):
        if cluster.get(key):
            raise BadSetting(f"{path}: {key} cannot be used; give {instead}")
    token = None
    if "tokenFile" in user:
        token = Token(entries.path(entries.text(user, "tokenFile")))
    elif "token" in user:
        token = Token(fixed=entries.text(user, "token"))
    tls = _tls(entries, cluster, user) if server.startswith("https:") else None
    return Cluster(server, tls, token, entries.text(chosen, "namespace", ""))


class _Entries:
    """The parts of a kubeconfig file."""

    def __init__(self, path: str, config: Any) -> None:
        self._file = path
        if not isinstance(config, dict):
            raise BadSetting(f"{path} is no kubeconfig")
        self.top: Mapping[str, Any] = config

    def named(self, kind: str, name: str) -> Mapping[str, Any]:
        """Return the cluster, context or user of that name."""
        for each in self.top.get(f"{kind}s") or ():
            if isinstance(each, dict) and each.get("name") == name:
                found = each.get(kind)
                if isinstance(found, dict):
                    return found
        raise BadSetting(f"{self._file}: there is no {kind} {name!r}")

    def text(self, part: Mapping[str, Any], key: str, default: str | None = None) -> str:
        """Return a text."""
        found = part.get(key, default)
        if not isinstance(found, str):
            raise BadSetting(f"{self._file}: {key} is missing or no text")
        return found

    def path(self, name: str) -> str:
        """Return the path of a file, which may be relative to the kubeconfig."""
        return os.path.join(os.path.dirname(os.path.abspath(self._file)), name)

    def bad(self, key: str, why: str) -> BadSetting:
        """Return the error for a key that cannot be used."""
        return BadSetting(f"{self._file}: {key}: {why}")

    def pem(self, part: Mapping[str, Any], key: str) -> bytes | None:
        """Return what a key has, as ``-data`` or in a file; None if neither is there."""
        if part.get(f"{key}-data"):
            try:
                # Editors break long lines.
                text = "".join(self.text(part, f"{key}-data").split())
                return base64.b64decode(text, validate=True)
            except ValueError as error:
                raise BadSetting(f"{self._file}: {key}-data is no base64") from error
        if part.get(key):
            path = self.path(self.text(part, key))
            try:
                with open(path, "rb") as file:
                    return file.read()
            except OSError as error:
                raise BadSetting(f"{self._file}: {key} {path}: {error.strerror}") from error
        return None


def _tls(entries: _Entries, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = entries.pem(cluster, "certificate-authority")
    certificate = entries.pem(user, "client-certificate")
    key = entries.pem(user, "client-key")
    if bool(certificate) != bool(key):
        raise BadSetting(
            "the kubeconfig has one of client-certificate and client-key; a client that shows a "
            "certificate needs both"
        )
    try:
        tls = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
        if cluster.get("insecure-skip-tls-verify") is True:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        if certificate and key:
            with ExitStack() as stack:
                load_chain(tls, _file(stack, certificate), _file(stack, key))
    except BadSetting as error:
        raise entries.bad("client-key", str(error)) from error
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise BadSetting(f"the kubeconfig's certificates cannot be used: {error}") from error
    return tls


def _file(stack: ExitStack, content: bytes) -> str:
    """Return the path of a file with that content, which is on no disk: OpenSSL reads files."""
    descriptor = os.memfd_create("twistdp")
    stack.callback(os.close, descriptor)
    os.write(descriptor, content)
    return f"/proc/self/fd/{descriptor}"
