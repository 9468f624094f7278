"""Reads the numbers of a metric from the state and the tallies."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import attrs

from twistdp.kubelet import Held
from twistdp.status import Durations, ResourceTallies, ScannerTallies, Tallies
from twistdp.web.values import Resource, Scanner, State


@attrs.frozen
class View:
    """The sources of all numbers, at one moment."""

    state: State
    tallies: Tallies
    held: Held | None = None
    """The holders of devices; None if they are not asked for, or not known."""

    def resources(self) -> Iterator[tuple[Resource, ResourceTallies]]:
        """The current resources, with their tallies."""
        for resource in self.state.resources:
            yield resource, self.tallies.resources.get(resource.name) or ResourceTallies()

    def scanners(self) -> Iterator[tuple[Scanner, ScannerTallies]]:
        """The current scanners, with their tallies, each name once."""
        for name, scanner in {each.name: each for each in self.state.scanners}.items():
            yield scanner, self.tallies.scanners.get(name) or ScannerTallies()


Number = int | float
Sample = tuple[tuple[str, ...], Number | Durations]
"""The values of the labels, and the number or, in a histogram, the durations."""


@attrs.frozen
class Family:
    """One metric."""

    name: str
    kind: str
    """gauge, counter or histogram."""
    help: str
    labels: tuple[str, ...]
    samples: Callable[[View], Iterable[Sample]]


OF_RESOURCE: Final = ("resource_name",)
_OF_SCANNER: Final = ("scanner",)


def gauge(
    name: str, text: str, read: Callable[[Resource, ResourceTallies], Number | None]
) -> Family:
    """A gauge of each resource; `read` returns None where the number is not known."""
    return Family(name, "gauge", text, OF_RESOURCE, _each(read))


def counter(name: str, text: str, read: Callable[[Resource, ResourceTallies], Number]) -> Family:
    """A counter of each resource."""
    return Family(name, "counter", text, OF_RESOURCE, _each(read))


def _each(
    read: Callable[[Resource, ResourceTallies], Number | None],
) -> Callable[[View], Iterable[Sample]]:
    def samples(view: View) -> Iterator[Sample]:
        for resource, tallies in view.resources():
            number = read(resource, tallies)
            if number is not None:
                yield (resource.name,), number

    return samples


def of_scanner(
    name: str,
    kind: str,
    text: str,
    read: Callable[[Scanner, ScannerTallies], Number | Durations | None],
) -> Family:
    """A metric of each scanner; `read` returns None where there is no number yet."""

    def samples(view: View) -> Iterator[Sample]:
        for scanner, tallies in view.scanners():
            number = read(scanner, tallies)
            if number is not None:
                yield (scanner.name,), number

    return Family(name, kind, text, _OF_SCANNER, samples)


def split(
    name: str, text: str, label: str, read: Callable[[ResourceTallies], Mapping[str, int]]
) -> Family:
    """A counter of each resource that a label splits."""

    def samples(view: View) -> Iterator[Sample]:
        for resource, tallies in view.resources():
            for value, number in read(tallies).items():
                yield (resource.name, value), number

    return Family(name, "counter", text, (*OF_RESOURCE, label), samples)
