"""Which of the available devices a container should rather get: policies, no code of a plugin.

Devices belong to groups (the card that they are a part of) and may be near NUMA nodes.

- ``none``: the first ids in natural order.
- ``packed``: the fewest groups; of these choices the one that leaves the fewest free ids in the
  groups touched, so that whole cards stay for those who need whole cards.
- ``spread``: the smallest maximum of chosen ids in a group.  Only the maximum counts: where one
  group must give three, others may give three as well.
- ``numa``: the fewest NUMA nodes, then as ``packed`` among the ids usable on these nodes: ids
  elsewhere count neither as usable nor as left.  A device without a node is usable anywhere and
  costs none.

Whatever a policy leaves open, natural order decides: of all equally good choices the one whose
sorted ranks come first in lexicographic order.  So the answer depends on the sets alone, not on
the kubelet's order, which is random.

That is exact, but for three cases of ``numa``.  A device on several nodes is, as for the kubelet,
usable on each of them; where there is such a device, or where there are so many sets and ids that
more than `MAX_WEIGHED` would have to be looked at, the fewest nodes are found, but of several
sets of so few nodes only one is looked at: that on which most devices are usable, with equally
many the one with the lowest numbers.  And on a machine with more than eight nodes, where more
than `MAX_NODE_SETS` sets would have to be compared, nodes are added one by one, always the one
that makes most devices usable, those that must be included before others.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import accumulate, chain, combinations, islice
from math import comb
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from twistdp.settings import POLICIES

MAX_NODE_SETS: Final = comb(8, 4)
"""Sets of NUMA nodes that ``numa`` compares at most: all of one size, for up to eight nodes."""

MAX_WEIGHED: Final = 100_000
"""Ids that ``numa`` looks at in all those sets together, so that advice takes some milliseconds."""


class Candidate(NamedTuple):
    """An available device: what a choice depends on.

    `rank` is the id's place in natural order, different for each id; `group` names what it is
    a part of; `numa` are the numbers of the NUMA nodes that it is near, none if unknown.
    """

    id: str
    rank: int
    group: str
    numa: tuple[int, ...] = ()


Candidates: TypeAlias = Sequence[Candidate]
"""Candidates in natural order, each once."""

_Place: TypeAlias = tuple[int, ...]  # the nodes that a device is near

_rank = attrgetter("rank")
_group = attrgetter("group")


def choose(
    policy: str, candidates: Iterable[Candidate], must_include: Collection[str], size: int
) -> list[str]:
    """The `size` ids that `policy` prefers, in natural order, all of `must_include` among them.

    What a kubelet asks is never refused: ids in `must_include` that are no candidates are
    ignored; with fewer than `size` candidates all are returned; a `size` not above the number
    of ids in `must_include` (0 and less as well) gives just those.

    Raises `ValueError` for a policy that is not in `POLICIES`.
    """
    if policy not in _CHOOSERS:
        raise ValueError(f"policy {policy!r}: use one of {', '.join(POLICIES)}")
    ordered = sorted({each.id: each for each in candidates}.values(), key=_rank)
    must = frozenset(must_include)
    kept = [each for each in ordered if each.id in must]
    free = [each for each in ordered if each.id not in must]
    need = min(size - len(kept), len(free))
    chosen = _CHOOSERS[policy](kept, free, need) if need > 0 else []
    return [each.id for each in sorted(chain(kept, chosen), key=_rank)]


# A policy's function is given the ids that are chosen anyway, the free ones, and how many of the
# free ones to choose: at least one, at most all.  Comparing only what is added is enough: of two
# sets of one size that one comes first which has the smallest rank that is not in both, and the
# ids chosen anyway are in both.


def _none(kept: Candidates, free: Candidates, need: int) -> Candidates:
    return free[:need]


def _spread(kept: Candidates, free: Candidates, need: int) -> Candidates:
    used = Counter(map(_group, kept))
    sizes = Counter(map(_group, chain(kept, free)))
    level = _level(sizes.values(), max(used.values(), default=0), len(kept) + need)

    def fits(each: Candidate) -> bool:
        used[each.group] += 1
        return used[each.group] <= level

    # Sets with at most `level` ids of each group are a matroid, so taking what comes first
    # whenever it fits gives the first of the largest sets.
    return list(islice(filter(fits, free), need))


def _level(sizes: Iterable[int], least: int, total: int) -> int:
    """The smallest maximum, from `least` on, with which groups of `sizes` give `total` ids."""
    numbers = Counter(sizes)

    def given(level: int) -> int:
        return sum(min(size, level) * number for size, number in numbers.items())

    return bisect_left(range(total), total, lo=least, key=given)


def _packed(kept: Candidates, free: Candidates, need: int) -> Candidates:
    touched = set(map(_group, kept))
    missing = need - sum(each.group in touched for each in free)
    if missing > 0:
        # In the order of the groups' first ids, since a Counter keeps the order of insertion.
        sizes = Counter(each.group for each in free if each.group not in touched)
        names = list(sizes)
        touched.update(names[index] for index in _pick_groups(list(sizes.values()), missing))
    # With the fewest groups none of them can be spared, so the first ids are from all of them.
    return [each for each in free if each.group in touched][:need]


def _pick_groups(sizes: Sequence[int], need: int) -> list[int]:
    """Indexes of the fewest groups that have `need` ids, with the fewest ids in all of them.

    Of several such sets the lexicographically first.  That decides for the ids too: of two sets
    of groups, the one with the first group that is not in both has the first id not in both.

    Any set of that many groups is the largest groups with some exchanged for smaller ones.  All
    exchanges together cost at most the `slack` by which the largest exceed the need, so only a
    few groups of each size are in question; among those the exact set is searched for.
    """
    largest = sorted(sizes, reverse=True)
    totals = list(accumulate(largest))
    count = bisect_left(totals, need) + 1
    least, slack = largest[count - 1], totals[count - 1] - need
    spare = count - largest.index(least)
    sure: list[int] = []
    open_: list[int] = []
    for size, indexes in _by_size(sizes).items():
        low, high = _limits(size, len(indexes), least, slack, spare)
        sure += indexes[:low]
        open_ += indexes[low:high]
    open_.sort()
    found = _first_subset(
        [sizes[index] for index in open_],
        count - len(sure),
        need - sum(sizes[index] for index in sure),
    )
    return sure + [open_[place] for place in found]


def _by_size(sizes: Iterable[int]) -> dict[int, list[int]]:
    indexes: dict[int, list[int]] = {}
    for index, size in enumerate(sizes):
        indexes.setdefault(size, []).append(index)
    return indexes


def _limits(size: int, number: int, least: int, slack: int, spare: int) -> tuple[int, int]:
    """How many of the `number` groups of `size` an optimal set has, at least and at most.

    `least` is the smallest size among the largest groups, `spare` how many of that size are
    among them.  Against the largest groups, a larger group left out costs ``size - least`` and
    a smaller one taken ``least - size``, `slack` at most in all; groups of size `least` cost
    nothing and make up the number.  Of one size the first groups are always taken.
    """
    if size > least:
        return max(0, number - slack // (size - least)), number
    if size < least:
        return 0, min(number, slack // (least - size))
    return max(0, spare - slack), min(number, spare + slack)


def _first_subset(sizes: Sequence[int], count: int, need: int) -> list[int]:
    """Indexes of `count` sizes with the smallest sum from `need` on, lexicographically first."""
    sums = _sums_from(sizes, count)
    enough = sums[0][count] >> need
    rest = need + (enough & -enough).bit_length() - 1
    found: list[int] = []
    for index, size in enumerate(sizes):
        if count and size <= rest and sums[index + 1][count - 1] >> (rest - size) & 1:
            found.append(index)
            count -= 1
            rest -= size
    return found


def _sums_from(sizes: Sequence[int], count: int) -> list[list[int]]:
    """For each index and number up to `count`, the sums of so many sizes from the index on.

    Sums are the bits of an integer: bit 5 says that 5 is such a sum.
    """
    rows = [[1] + [0] * count]
    for size in reversed(sizes):
        after = rows[-1]
        rows.append([1] + [after[n] | after[n - 1] << size for n in range(1, count + 1)])
    return rows[::-1]


def _numa(kept: Candidates, free: Candidates, need: int) -> Candidates:
    near: dict[_Place, list[Candidate]] = {}
    for each in free:
        near.setdefault(each.numa, []).append(each)
    numbers = {place: len(ids) for place, ids in near.items()}
    options = []
    for nodes in _node_sets({each.numa for each in kept}, numbers, need):
        usable = chain.from_iterable(ids for place, ids in near.items() if _near(place, nodes))
        pool = sorted(usable, key=_rank)
        chosen = _packed(kept, pool, need)
        options.append((_packed_cost(kept, pool, chosen), chosen))
    # Costs end in the ranks, so equal costs are equal choices.
    return min(options)[1]


def _packed_cost(
    kept: Candidates, free: Candidates, chosen: Candidates
) -> tuple[int, int, list[int]]:
    touched = set(map(_group, chain(kept, chosen)))
    left = sum(each.group in touched for each in free) - len(chosen)
    return len(touched), left, [each.rank for each in chosen]


def _node_sets(
    kept: Collection[_Place], numbers: Mapping[_Place, int], need: int
) -> list[frozenset[int]]:
    """The sets of the fewest nodes that are near all of `kept` and give `need` ids.

    `numbers` says how many ids each place gives.  Only one set comes back where comparing them
    could take long, see the module's text.
    """

    def use(nodes: frozenset[int]) -> tuple[int, int]:
        return (
            sum(_near(place, nodes) for place in kept),
            sum(number for place, number in numbers.items() if _near(place, nodes)),
        )

    def enough(nodes: frozenset[int]) -> bool:
        served, given = use(nodes)
        return served == len(kept) and given >= need

    forced = frozenset(place[0] for place in kept if len(place) == 1)
    others = sorted(set(chain(*kept, *numbers)) - forced)
    extra = 0
    while comb(len(others), extra) <= MAX_NODE_SETS:
        found = [forced.union(nodes) for nodes in combinations(others, extra)]
        if found := list(filter(enough, found)):
            several = any(len(place) > 1 for place in chain(kept, numbers))
            many = len(found) * sum(numbers.values()) > MAX_WEIGHED
            return [max(found, key=use)] if several or many else found
        extra += 1
    nodes = forced
    while not enough(nodes):
        nodes = max((nodes | {each} for each in others if each not in nodes), key=use)
    return [nodes]


def _near(place: _Place, nodes: frozenset[int]) -> bool:
    return not place or not nodes.isdisjoint(place)


_CHOOSERS: Final[dict[str, Callable[[Candidates, Candidates, int], Candidates]]] = {
    "none": _none,
    "packed": _packed,
    "spread": _spread,
    "numa": _numa,
}
