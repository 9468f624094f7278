"""The calls of clients, as a test looks at them."""

import attrs

WRITES = ("create", "update", "patch", "delete", "deletecollection")


@attrs.frozen
class ApiCall:
    """A request that was made; `code` is its HTTP status, 0 if the connection was cut instead.

    `verb` is get, list, watch, create, update, patch, apply, delete or deletecollection, `kind` a
    plural such as ``daemonsets``.
    """

    verb: str
    group: str
    kind: str
    namespace: str
    name: str
    subresource: str
    user: str
    agent: str
    manager: str
    dry_run: bool
    code: int = 0

    @property
    def is_write(self) -> bool:
        """Whether it would change something."""
        return self.verb in (*WRITES, "apply")
