"""Binds PCI functions to a driver that gives them to programs, by writing to sysfs."""

import os
from collections.abc import Callable, Collection, Iterable
from typing import Final

from twisted.logger import Logger

from twistdp.scanners.complaints import Complaints
from twistdp.select import Device

_log = Logger()

_PROGRAMS: Final = ("vfio-pci", "igb_uio")
"""Drivers of functions that a program, so perhaps a pod's, may have open."""


def write(path: str, text: str) -> None:
    """Write to a file of sysfs, which must be there; raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


class Binder:
    """Binds PCI functions to `driver`, each once from when it appears.

    Only a function without a driver, or with one of `kernel_drivers`, is bound.  One that a pod
    holds is bound to a driver for programs, so it is never touched, and neither is one that
    somebody bound to anything else.  If binding fails, the kernel chooses a driver again.  `write`
    writes a text to a file of sysfs.
    """

    def __init__(
        self,
        driver: str,
        kernel_drivers: Collection[str],
        root: str = "/",
        write: Callable[[str, str], None] = write,
    ) -> None:
        self._driver = driver
        self._kernel_drivers = frozenset(kernel_drivers)
        self._bus = f"{root.rstrip('/')}/sys/bus/pci"
        self._write = write
        self._done: set[str] = set()
        self._complaints = Complaints(lambda text: _log.warn("not bound: {text}", text=text))

    def bind(self, functions: Iterable[Device]) -> None:
        """Bind those of `functions`, all that there are, that were not here before."""
        present = {each.name: each for each in functions}
        self._done &= present.keys()
        for name, function in present.items():
            if function.driver == self._driver:
                self._done.add(name)
            elif name not in self._done:
                reason = self._hindrance(function)
                if reason:
                    self._complaints.add(name, f"{name}: {reason}")
                else:
                    self._done.add(name)
                    self._bind(function)
        self._complaints.end(everything=True)

    def _hindrance(self, function: Device) -> str:
        """Why a function is not bound; empty if nothing prevents it."""
        before = function.driver
        if before is not None and before not in self._kernel_drivers:
            why = "which a pod may use" if before in _PROGRAMS else "which is not its kernel driver"
            return f"it is bound to {before}, {why}; unbind it if it is meant for pods"
        if not os.path.isdir(f"{self._bus}/drivers/{self._driver}"):
            return f"the kernel has no driver {self._driver}; load it with modprobe {self._driver}"
        return ""

    def _bind(self, function: Device) -> None:
        name, before = function.name, function.driver
        steps = [(f"{function.path}/driver_override", self._driver)]
        if before is not None:
            steps.append((f"{self._bus}/drivers/{before}/unbind", name))
        steps.append((f"{self._bus}/drivers/{self._driver}/bind", name))
        for number, (path, text) in enumerate(steps):
            try:
                self._write(path, text)
            except OSError as error:
                _log.error(
                    "cannot bind {name} to {driver}: writing to {path}: {reason}; this needs root, "
                    "and a /sys that can be written",
                    name=name,
                    driver=self._driver,
                    path=path,
                    reason=error.strerror,
                )
                if number:  # otherwise nothing has changed
                    self._give_back(function)
                return
        _log.info(
            "bound {name} to {driver}; it had {before}",
            name=name,
            driver=self._driver,
            before=f"the driver {before}" if before is not None else "no driver",
        )

    def _give_back(self, function: Device) -> None:
        try:
            self._write(f"{function.path}/driver_override", "\n")
            self._write(f"{self._bus}/drivers_probe", function.name)
        except OSError as error:
            _log.error(
                "cannot give {name} back to its kernel driver: {reason}",
                name=function.name,
                reason=error.strerror,
            )
