"""Reads an annotation of this node from the cluster's API."""

import json
import os
import re
import time
from collections.abc import Callable, Collection
from typing import Any, Final
from urllib.parse import quote

from twisted.logger import Logger

from twistdp.model import printable

_log = Logger()

ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds the token and the certificate of the API."""

TIMEOUT: Final = 5.0
"""Seconds that the API may be silent."""

AGAIN: Final = 60.0
"""Seconds between two requests while the API does not answer."""

_LONGEST: Final = 4 << 20
_TOKEN: Final = re.compile(r"[!-~]+")
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""Asks for the metadata of an object alone."""


class NodeAnnotation:
    """The annotation `name` of the node `node`, one of `choices`.

    Call `value` in a thread that may wait.  The process must run in a pod: the environment
    names the API of its cluster.  `account` is the directory of its service account, which needs
    the permission to get nodes.
    """

    def __init__(
        self,
        node: str,
        name: str,
        choices: Collection[str],
        account: str = ACCOUNT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._name = name
        self._choices = choices
        self._account = account
        self._clock = clock
        self._next: float | None = clock()
        self._value: str | None = None
        self._reason = ""

    def value(self) -> str | None:
        """The annotation's value; None if it is none of `choices`, or not known yet.

        It is read once.  If that fails, it is read again, at most once in `AGAIN` seconds.
        """
        if self._next is None or self._clock() < self._next:
            return self._value
        try:
            found = _annotations(self._node, self._account).get(self._name)
        except (OSError, ValueError) as error:
            self._next = self._clock() + AGAIN
            if str(error) != self._reason:
                self._reason = str(error)
                _log.warn(
                    "cannot read the annotation {name} of node {node}, so it has no effect: "
                    "{reason}; it is read again every {seconds:g} s",
                    name=self._name, node=self._node, reason=self._reason, seconds=AGAIN,
                )  # fmt: skip
            return None
        self._next = None
        if found in self._choices:
            self._value = found
            _log.info("the annotation {name} of node {node} is {value}",
                      name=self._name, node=self._node, value=found)  # fmt: skip
        elif found is not None:
            _log.warn(
                "the annotation {name} of node {node} is {value}, and has no effect: use {choices}",
                name=self._name, node=self._node, value=printable(str(found)[:100]),
                choices=" or ".join(self._choices),
            )  # fmt: skip
        return self._value


def _annotations(node: str, account: str) -> dict[str, Any]:
    """The annotations of a node; raises OSError, and ValueError for an answer that is no node."""
    # Imported here because they take memory, and hardly any plugin needs them.
    import ssl
    from http.client import HTTPException, HTTPSConnection

    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    if not host:
        raise ValueError("this process is in no pod: KUBERNETES_SERVICE_HOST is not set")
    port = int(os.environ.get("KUBERNETES_SERVICE_PORT", "443"))
    context = ssl.create_default_context(cafile=os.path.join(account, "ca.crt"))
    with open(os.path.join(account, "token"), encoding="ascii") as file:
        token = file.read(_LONGEST).strip()
    if not _TOKEN.fullmatch(token):  # the error of http.client would show it
        raise ValueError(f"there is no token in {account}/token")
    connection = HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    try:
        headers = {
            "Accept": f"{_METADATA},application/json",
            "Authorization": f"Bearer {token}",
        }
        connection.request("GET", f"/api/v1/nodes/{quote(node, safe='')}", headers=headers)
        response = connection.getresponse()
        body = response.read(_LONGEST)
    except HTTPException as error:
        raise ValueError(f"the API's answer is no HTTP: {type(error).__name__}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise ValueError(f"the API answers {response.status} {printable(response.reason)}")
    try:
        found = json.loads(body)["metadata"].get("annotations") or {}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("the API's answer is no node") from error
    return found if isinstance(found, dict) else {}
