"""Policies of preferred devices: which of the available ids a container is advised to get.

Devices belong to groups (the card that they are a part of) and may be near NUMA nodes.

- ``none``: the first ids in natural order.
- ``packed``: few groups.  Groups that the container gets anyway are used, then the largest, and
  last the smallest that is enough for the rest, so that whole cards stay free for containers that
  need whole cards.
- ``spread``: as few ids of one group as possible, first of those with most free ids.
- ``numa``: few NUMA nodes, chosen as ``packed`` chooses groups, then ``packed`` among the ids near
  them.  A device that knows no node is near all.

Where a policy leaves a choice, it takes the first in natural order.  So the answer depends on the
sets of ids alone, not on the kubelet's order, which is random.

This is advice, so each policy makes one greedy choice after the other and compares no sets.  The
number of groups is the smallest possible, and so is the number of nodes if no device is near
several; what stays free in the groups is small, but not always the least.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias, TypeVar

from twistdp.settings import POLICIES

_Name = TypeVar("_Name")
_Place: TypeAlias = tuple[int, ...]  # the nodes that a device is near


class Candidate(NamedTuple):
    """An available device, as the policies see it.

    `group` names what it is a part of; `numa` are the numbers of the NUMA nodes that it is near,
    none if unknown.
    """

    id: str
    group: str
    numa: _Place = ()


Candidates: TypeAlias = Sequence[Candidate]
"""Candidates in natural order, each once."""


def choose(
    policy: str, candidates: Candidates, must_include: Collection[str], size: int
) -> list[str]:
    """Return the `size` ids that `policy` prefers, in the order of `candidates`.

    All of `must_include` are among them.  No question of a kubelet is refused: ids in
    `must_include` that are no candidates are ignored; with fewer than `size` candidates all are
    returned; a `size` below the number of ids in `must_include` gives just those.

    Raises `ValueError` for a policy that is not in `POLICIES`.
    """
    if policy not in _CHOOSERS:
        raise ValueError(f"policy {policy!r}: use one of {', '.join(POLICIES)}")
    must = frozenset(must_include)
    kept = [each for each in candidates if each.id in must]
    free = [each for each in candidates if each.id not in must]
    if (need := size - len(kept)) > 0:
        kept += _CHOOSERS[policy](kept, free, need)
    chosen = {each.id for each in kept}
    return [each.id for each in candidates if each.id in chosen]


# The function of a policy gets the ids that are chosen anyway, the free ones, and how many of the
# free ones to choose, at least one.


def _none(_: Candidates, free: Candidates, need: int) -> Candidates:
    return free[:need]


def _spread(kept: Candidates, free: Candidates, need: int) -> Candidates:
    used = Counter(each.group for each in kept)
    available = Counter(each.group for each in free)

    def turn(each: Candidate) -> tuple[int, int]:
        used[each.group] += 1
        return used[each.group], -available[each.group]

    return sorted(free, key=turn)[:need]


def _packed(kept: Candidates, free: Candidates, need: int) -> Candidates:
    begun = {each.group for each in kept}
    others = Counter(each.group for each in free if each.group not in begun)
    groups = begun.union(_few(others, need - len(free) + others.total()))
    return [each for each in free if each.group in groups][:need]


def _numa(kept: Candidates, free: Candidates, need: int) -> Candidates:
    places = Counter(each.numa for each in free)
    forced = {each.numa for each in kept if each.numa}
    near = Counter(node for place in places for node in place * places[place])

    def home(place: _Place) -> int:
        """Of several nodes, the one that most of the free ids are near."""
        return max(place, key=lambda node: (near[node], -node))

    nodes = {home(place) for place in forced}
    others: Counter[int] = Counter()
    for place, number in places.items():
        if place and nodes.isdisjoint(place):
            others[home(place)] += number
    nodes.update(_few(others, need - len(free) + others.total()))
    usable = {place for place in places if not place or not nodes.isdisjoint(place)}
    return _packed(kept, [each for each in free if each.numa in usable], need)


def _few(sizes: Mapping[_Name, int], need: int) -> list[_Name]:
    """Return the largest until one is enough for what is missing; of those then the smallest."""
    if need <= 0:
        return []
    largest = sorted(sizes, key=sizes.__getitem__, reverse=True)  # equal ones stay in their order
    for index, name in enumerate(largest):
        if sizes[name] >= need:
            enough = [other for other in largest[index:] if sizes[other] >= need]
            return [*largest[:index], min(enough, key=sizes.__getitem__)]
        need -= sizes[name]
    return largest


_CHOOSERS: Final[dict[str, Callable[[Candidates, Candidates, int], Candidates]]] = {
    "none": _none,
    "packed": _packed,
    "spread": _spread,
    "numa": _numa,
}
