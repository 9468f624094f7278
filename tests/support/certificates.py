"""Certificates for tests, by openssl."""

import shutil
import subprocess
from pathlib import Path

OPENSSL = shutil.which("openssl")
"""Its path, None where it is not installed."""

WHY = "openssl, which makes the certificates, is not installed"


def certificate(directory: Path, name: str = "localhost") -> tuple[Path, Path]:
    """Make ``tls.crt`` and ``tls.key`` in a directory, or replace them; return their paths."""
    assert OPENSSL is not None
    directory.mkdir(parents=True, exist_ok=True)
    made = [directory / each for each in ("new.crt", "new.key")]
    subprocess.run(
        [
            OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1",
            "-out", str(made[0]), "-keyout", str(made[1]),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    certificate, key = directory / "tls.crt", directory / "tls.key"
    made[1].replace(key)
    made[0].replace(certificate)
    return certificate, key


def encrypted(key: Path) -> Path:
    """Encrypt a private key in its place."""
    assert OPENSSL is not None
    made = key.with_suffix(".encrypted")
    command = [OPENSSL, "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret"]
    subprocess.run([*command, "-out", str(made)], check=True, capture_output=True)
    return made.replace(key)
