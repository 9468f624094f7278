"""Loads certificates with their private keys, and asks nobody for a passphrase."""

import ssl

from twistdp.errors import BadSetting


def load_chain(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load a certificate and its key from files into a context.

    Raises OSError, and `BadSetting` for an encrypted key: OpenSSL would ask for its passphrase on
    the terminal, and the process would wait for it.
    """
    context.load_cert_chain(certificate, key, _refuse)


def _refuse() -> bytes:
    raise BadSetting(
        "the private key is encrypted; write it without a passphrase, as by openssl pkey -in OLD "
        "-out NEW"
    )
