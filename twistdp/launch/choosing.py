"""The command line's options that choose scanners, and belong to one or to all of them."""

from typing import Any

from twisted.python import usage

from twistdp.launch.choice import Choice


class ChoiceOptions(usage.Options):
    """Options of scanners: each belongs to the scanner before it, or else to all."""

    def __init__(self) -> None:
        super().__init__()
        self.choices: list[Choice] = []
        """The scanners, in their order."""
        self.entries: list[str] = []
        """The entries of the catalogue that no scanner serves."""
        self.defaults: dict[str, Any] = {}
        """The options of all scanners that have none of their own, by the names of `Settings`."""

    def opt_scanner(self, name: str) -> None:
        """Class that finds the devices, as module:Class; may be repeated."""
        self.choices.append(Choice(name, f"--scanner {name}"))

    def opt_catalog(self, names: str) -> None:
        """Entries of the catalogue to serve, with commas; 'twistdp catalog' lists them."""
        # Imported here because a plugin that reads no file needs no memory for it.
        from twistdp.catalog import Shelf

        found = [each.strip() for each in names.split(",")]
        for name in found:
            if found.count(name) > 1:
                raise usage.UsageError(f"--catalog {names}: {name} is named twice; leave one out")
            scanner = Shelf().scanner(name)
            if scanner is not None:
                self.choices.append(Choice(scanner, f"--catalog {name}"))
            else:
                self.entries.append(name)

    def opt_set(self, assignment: str) -> None:
        """KEY=VALUE, a constructor argument of the --scanner before it; repeat KEY for a list."""
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise usage.UsageError(f"--set {assignment}: write it as key=value")
        if not self.choices:
            if self.entries:
                raise usage.UsageError(
                    f"--set {assignment}: --catalog {self.entries[-1]} has no arguments; write a "
                    f"configuration file with keys beside use: {self.entries[-1]}"
                )
            raise usage.UsageError(f"--set {assignment}: put it after the --scanner it is for")
        self.choices[-1].arguments.setdefault(key, []).append(value)

    def opt_namespace(self, namespace: str) -> None:
        """Domain of the resources; default: the scanner's own."""
        self._own()["namespace"] = namespace

    def opt_scan_timeout(self, seconds: str) -> None:
        """Seconds after which a scan counts as hung; default 30."""
        self._own()["scan_timeout"] = _seconds("scan-timeout", seconds)

    def opt_hook_timeout(self, seconds: str) -> None:
        """Seconds after which a hook that has not answered is cancelled; default 60."""
        self._own()["hook_timeout"] = _seconds("hook-timeout", seconds)

    def opt_removal_grace(self, seconds: str) -> None:
        """Seconds that a device in use stays listed, unhealthy, after it vanished; default 0."""
        self._own()["removal_grace"] = _seconds("removal-grace", seconds)

    def opt_check_nodes(self, text: str) -> None:
        """Refuse to allocate a device whose node is gone: true (default) or false."""
        self._own()["check_nodes"] = _truth("check-nodes", text)

    def opt_check_paths(self, text: str) -> None:
        """Leave out devices whose paths others could change: true (default) or false."""
        self._own()["check_paths"] = _truth("check-paths", text)

    def opt_preferred(self, policy: str) -> None:
        """Policy of preferred devices: none (default), packed, spread or numa."""
        self._own()["preferred"] = policy

    def _own(self) -> dict[str, Any]:
        return self.choices[-1].options if self.choices else self.defaults


def _seconds(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise usage.UsageError(f"--{option} {text}: give a number of seconds") from None


def _truth(option: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise usage.UsageError(f"--{option} {text}: give true or false")
    return text == "true"
