"""A scanner that the command line names, and the manager that serves it."""

from collections.abc import Mapping
from typing import Any

from twistdp.errors import BadName, BadScanner, BadSetting
from twistdp.launch.loading import make
from twistdp.manager import Manager
from twistdp.model import IScanner, check_namespace, of_error
from twistdp.scan import WatchingScanner, check_scanner
from twistdp.settings import Settings
from twistdp.tools import at


class Choice:
    """A --scanner and the options after it that belong to it.

    `called` is the option that named it, for messages.
    """

    def __init__(self, name: str, called: str) -> None:
        self.name = name
        self.called = called
        self.arguments: dict[str, list[str]] = {}
        self.options: dict[str, Any] = {}

    def manager(self, defaults: Mapping[str, Any]) -> Manager:
        """The manager of the scanner; `defaults` are settings, and perhaps a namespace.

        Raises `BadSetting` and what `Settings` does.
        """
        scanner = self._scanner()
        options = {**defaults, **self.options}
        given = options.pop("namespace", None)
        namespace = given or self._own_namespace(scanner)
        if namespace is None:
            raise BadSetting(
                f"{self.called}: it has no namespace of its own; add --namespace=DOMAIN"
            )
        try:
            check_namespace(namespace)
        except BadName as error:
            option = "--" if given else f"{self.called}: its own "
            raise BadSetting(f"{option}{error}") from error
        return Manager(namespace, scanner, settings=Settings(**options))

    def _scanner(self) -> IScanner | WatchingScanner:
        scanner = make(self.name, self.arguments, self.called)
        try:
            check_scanner(scanner)
        except BadScanner as error:
            raise BadSetting(f"{self.called}: {error}") from error
        return scanner  # type: ignore[no-any-return]

    def _own_namespace(self, scanner: object) -> Any:
        try:
            return getattr(scanner, "namespace", None)
        except Exception as error:  # of a property's code
            raise BadSetting(
                f"{self.called}: its namespace raised {of_error(error)}{at(error)}"
            ) from error
