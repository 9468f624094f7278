"""Puts a scanner's file, or a configuration, into a ConfigMap."""

import hashlib
import os
import re

from twistdp.deployment.documents import Document
from twistdp.errors import BadSetting

SCANNER_DIRECTORY = "/etc/twistdp"
"""The directory of the scanner's file in the container."""

CONFIG_DIRECTORY = "/etc/twistdp-config"
"""The directory of the configuration in the container."""

LARGEST_FILE = 1 << 20
"""Bytes that Kubernetes accepts in a ConfigMap."""


def scanner_map(path: str, name: str, namespace: str) -> tuple[str, Document]:
    """The name and the text of a ConfigMap with a scanner's file, for the DaemonSet `name`.

    Its name changes with the file, so that the pods are replaced when the file changes.  Raises
    `BadSetting` if the file cannot be read or put into a ConfigMap.
    """
    text = _read(path)
    config_map = f"{name}-scanner-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return config_map, _document("--scanner-file", path, text, config_map, name, namespace)


def configuration_map(path: str, text: str, name: str, namespace: str) -> tuple[str, Document]:
    """As `scanner_map`, with a configuration that is `text` in the file `path`.

    Its name stays: the pods follow its changes.
    """
    config_map = f"{name}-config"
    return config_map, _document("--config", path, text, config_map, name, namespace)


def _document(
    option: str, path: str, text: str, config_map: str, name: str, namespace: str
) -> Document:
    file_name = os.path.basename(path)
    if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", file_name):
        raise BadSetting(
            f"{option} {path}: a ConfigMap accepts no file of this name; use letters, "
            "digits, '-', '_' and '.'"
        )
    return Document(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": config_map,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/name": name},
            },
            "data": {file_name: text},
        }
    )


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_FILE + 1)
        text = content.decode()
    except OSError as error:
        raise BadSetting(
            f"--scanner-file {path}: it cannot be read: {error.strerror}; name the file of a "
            "Python module"
        ) from error
    except UnicodeDecodeError as error:
        raise BadSetting(
            f"--scanner-file {path}: it is not UTF-8 from byte {error.start} on; name a Python "
            "module's source"
        ) from error
    if len(content) > LARGEST_FILE:
        raise BadSetting(
            f"--scanner-file {path}: it has more than the {LARGEST_FILE} bytes that a ConfigMap "
            "accepts; put it into an image"
        )
    return text
