"""What a request asks, in the words of RBAC rules: a verb and a resource."""

from collections.abc import Mapping
from typing import Final

import attrs

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@attrs.frozen
class Asked:
    """One request: ``patch`` of ``deviceplugins.twistdp.io/status``."""

    verb: str
    resource: str
    """Empty for what is no resource, such as the list of API groups."""


def asked(method: str, path: str, query: Mapping[str, str]) -> Asked:
    """Return what a request with this method, URL path and query asks."""
    root, _, rest = path.strip("/").partition("/")
    parts = rest.split("/") if rest else []
    if root == "apis":
        group, parts = (parts[0], parts[2:]) if len(parts) > 2 else ("", [])
    elif root == "api":
        group, parts = "", parts[1:]
    else:
        group, parts = "", []
    if len(parts) > 2 and parts[0] == "namespaces":
        parts = parts[2:]
    if not parts:
        return Asked("get" if method == "GET" else method.lower(), "")
    resource = f"{parts[0]}.{group}" if group else parts[0]
    if len(parts) > 2:
        resource += f"/{parts[2]}"
    if method != "GET":
        return Asked(_VERBS.get(method, method.lower()), resource)
    if query.get("watch") in ("true", "1"):
        return Asked("watch", resource)
    return Asked("get" if len(parts) > 1 else "list", resource)
