"""Puts a scanner's file, or a configuration, into a ConfigMap."""

import hashlib
import os
import re
from typing import Any

from twistdp.deployment.daemonset import DaemonSet
from twistdp.errors import BadSetting

LARGEST_FILE = 1 << 20
"""Bytes that Kubernetes accepts in a ConfigMap."""


def scanner_map(plugin: DaemonSet, path: str) -> tuple[str, dict[str, Any]]:
    """A ConfigMap with a scanner's file, and its name.

    Its name changes with the file, so that the pods are replaced when the file changes.  Raises
    `BadSetting` if the file cannot be read or put into a ConfigMap.
    """
    text = _read(path)
    name = f"{plugin.name}-scanner-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return name, _object("--scanner-file", path, text, plugin.metadata(name))


def configuration_map(plugin: DaemonSet, path: str, text: str) -> tuple[str, dict[str, Any]]:
    """As `scanner_map`, with a configuration that is `text` in the file `path`.

    Its name stays: the pods follow its changes.
    """
    name = f"{plugin.name}-config"
    return name, _object("--config", path, text, plugin.metadata(name))


def _object(option: str, path: str, text: str, metadata: dict[str, Any]) -> dict[str, Any]:
    file_name = os.path.basename(path)
    if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", file_name):
        raise BadSetting(
            f"{option} {path}: a ConfigMap accepts no file of this name; use letters, "
            "digits, '-', '_' and '.'"
        )
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {file_name: text},
    }


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
