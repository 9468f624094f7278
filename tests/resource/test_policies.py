"""Tests for `twistdp.resource.policies`."""

import random
from collections import Counter
from collections.abc import Collection, Sequence
from time import process_time

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.resource.policies import Candidate, choose
from twistdp.settings import POLICIES

Question = tuple[list[Candidate], list[str], int]

no_node = st.just(())
one_node = st.one_of(no_node, st.integers(0, 7).map(lambda n: (n,)))
some_nodes = st.lists(st.integers(0, 19), max_size=3, unique=True).map(tuple)


@st.composite
def questions(draw: st.DrawFn, numa: st.SearchStrategy[tuple[int, ...]]) -> Question:
    """Candidates, some that must be included, and a size."""
    places = draw(st.lists(st.tuples(st.sampled_from("abcde"), numa), max_size=24))
    candidates = [Candidate(f"d{n}", group, nodes) for n, (group, nodes) in enumerate(places)]
    must = [each.id for each in candidates if draw(st.integers(0, 3)) == 0]
    return candidates, must, draw(st.integers(0, len(candidates) + 1))


def groups_of(*sizes: int) -> list[Candidate]:
    """Candidates ``<group>.<number>`` of groups of these sizes."""
    return [
        Candidate(f"{group}.{number}", f"g{group}")
        for group, size in enumerate(sizes)
        for number in range(size)
    ]


def groups(chosen: Collection[str]) -> set[int]:
    """The groups of `groups_of` that ids are from."""
    return {int(each.split(".")[0]) for each in chosen}


def fewest(sizes: Collection[int], need: int) -> int:
    """How many of the sizes, the largest first, give so many."""
    number, given_ = 0, 0
    for size in sorted(sizes, reverse=True):
        if given_ >= need:
            break
        number, given_ = number + 1, given_ + size
    return number


class AnyPolicyTests(SynchronousTestCase):
    """Rules of `choose` with every policy."""

    @given(questions(some_nodes), st.sampled_from(POLICIES), st.randoms())
    def test_valid(self, question: Question, policy: str, shuffler: random.Random) -> None:
        """It returns so many of the available ids, each once, in order, with all that must be."""
        candidates, must, size = question
        chosen = choose(policy, candidates, must, size)
        self.assertEqual(chosen, [each.id for each in candidates if each.id in chosen])
        self.assertEqual(len(chosen), max(min(size, len(candidates)), len(must)))
        self.assertLessEqual(set(must), set(chosen))
        shuffler.shuffle(must)
        self.assertEqual(choose(policy, candidates, [*must, *must], size), chosen)

    def test_odd_questions(self) -> None:
        """Unknown ids are ignored, and sizes out of range give as much or little as there is."""
        candidates = [Candidate(f"d{n}", f"card{n // 2}", (n % 2,)) for n in range(4)]
        everything = [each.id for each in candidates]
        for policy in POLICIES:
            for must, size, expected in (
                (["gone", "d2"], 1, ["d2"]),
                (["gone"], 0, []),
                ([], -1, []),
                (["d3", "d1"], 0, ["d1", "d3"]),
                (["d3", "d1"], 1, ["d1", "d3"]),
                ([], 4, everything),
                (["d3", "gone"], 9, everything),
            ):
                self.assertEqual(choose(policy, candidates, must, size), expected)
            self.assertEqual(choose(policy, [], ["gone"], 3), [])

    def test_unknown_policy(self) -> None:
        """A policy that does not exist is refused, and the text names those that do."""
        error = self.assertRaises(ValueError, choose, "pack", [], [], 0)
        self.assertEqual(str(error), "policy 'pack': use one of none, packed, spread, numa")

    def test_many(self) -> None:
        """Advice on as many devices as a list has room for takes some milliseconds."""
        candidates = [
            Candidate(f"d{n}", f"g{n * n % 5021}", (n % 8, 8 + n % 3)[: 1 + n % 2])
            for n in range(41_000)
        ]
        for policy in POLICIES:
            for size in (4, 1000, 20_000, 40_999):
                took = []
                for _ in range(3):
                    start = process_time()
                    chosen = choose(policy, candidates, ["d77"], size)
                    took.append(process_time() - start)
                self.assertEqual(len(chosen), size)
                self.assertLess(min(took), 0.2, f"{policy} {size}")


class NoneTests(SynchronousTestCase):
    """`choose` without a preference."""

    def test_first_in_natural_order(self) -> None:
        """It takes the first ids."""
        candidates = groups_of(2, 2)
        self.assertEqual(choose("none", candidates, [], 3), ["0.0", "0.1", "1.0"])
        self.assertEqual(choose("none", candidates, ["1.1"], 2), ["0.0", "1.1"])


class PackedTests(SynchronousTestCase):
    """`choose` with the policy ``packed``."""

    @given(questions(no_node))
    @settings(max_examples=300)
    def test_fewest_groups(self, question: Question) -> None:
        """No other choice is from fewer groups."""
        candidates, must, size = question
        group = {each.id: each.group for each in candidates}
        begun = {group[each] for each in must}
        sizes = Counter(each.group for each in candidates)
        others = [number for name, number in sizes.items() if name not in begun]
        need = min(size, len(candidates)) - sum(sizes[name] for name in begun)
        chosen = choose("packed", *question)
        self.assertEqual(len({group[each] for each in chosen}), len(begun) + fewest(others, need))

    def test_sets_of_groups(self) -> None:
        """Large groups are used up, and the last one is the smallest that is enough."""
        for sizes, size, expected in (
            ([1, 1, 1, 3], 3, {3}),
            ([8, 4, 5, 4], 4, {1}),
            ([4, 4, 4, 4], 8, {0, 1}),
            ([7, 6, 5, 4, 3], 9, {0, 4}),
            ([5, 6, 3, 4], 9, {1, 2}),
            ([1, 5, 9, 9, 9, 2], 20, {2, 3, 5}),
            ([2, 2, 2], 6, {0, 1, 2}),
        ):
            chosen = choose("packed", groups_of(*sizes), [], size)
            self.assertEqual(groups(chosen), expected, f"{size} of {sizes}")

    def test_begun_groups_are_filled(self) -> None:
        """A card of which an id must be included is used up before another is begun."""
        candidates = groups_of(4, 4, 4)
        chosen = choose("packed", candidates, ["1.2"], 4)
        self.assertEqual(chosen, ["1.0", "1.1", "1.2", "1.3"])
        self.assertEqual(groups(choose("packed", candidates, ["2.2"], 5)), {0, 2})


class SpreadTests(SynchronousTestCase):
    """`choose` with the policy ``spread``."""

    @given(questions(no_node))
    @settings(max_examples=300)
    def test_even(self, question: Question) -> None:
        """No group gives a second more than another that has more."""
        candidates, must, _ = question
        available = Counter(each.group for each in candidates)
        group = {each.id: each.group for each in candidates}
        forced = Counter(group[each] for each in must)
        used = Counter(group[each] for each in choose("spread", *question))
        for name in used:
            for other in available:
                if used[name] > max(forced[name], used[other] + 1):
                    self.assertEqual(used[other], available[other])

    def test_cards(self) -> None:
        """Each card gives one id before one gives a second."""
        candidates = groups_of(4, 4, 4)
        for must, size, expected in (
            ([], 3, ["0.0", "1.0", "2.0"]),
            ([], 4, ["0.0", "0.1", "1.0", "2.0"]),
            (["0.2"], 3, ["0.2", "1.0", "2.0"]),
            (["0.2", "0.3"], 4, ["0.2", "0.3", "1.0", "2.0"]),
            (["1.0", "1.1", "1.2"], 5, ["0.0", "1.0", "1.1", "1.2", "2.0"]),
        ):
            self.assertEqual(choose("spread", candidates, must, size), expected)

    def test_free(self) -> None:
        """Of cards that give as many, those with most free ids come first."""
        for sizes, must, size, expected in (
            ((1, 3, 2), [], 1, ["1.0"]),
            ((1, 3, 2), [], 2, ["1.0", "2.0"]),
            ((1, 3, 2), [], 4, ["0.0", "1.0", "1.1", "2.0"]),
            ((2, 4, 2), ["1.0"], 2, ["0.0", "1.0"]),
        ):
            self.assertEqual(choose("spread", groups_of(*sizes), must, size), expected)


class NumaTests(SynchronousTestCase):
    """`choose` with the policy ``numa``."""

    @given(questions(one_node))
    @settings(max_examples=300)
    def test_fewest_nodes(self, question: Question) -> None:
        """With devices on one node or none, no other choice is from fewer nodes."""
        candidates, must, size = question
        numa = {each.id: each.numa for each in candidates}
        forced = {node for each in must for node in numa[each]}
        sizes = Counter(node for each in candidates for node in each.numa)
        others = [number for node, number in sizes.items() if node not in forced]
        anyway = sum(not each.numa or each.numa[0] in forced for each in candidates)
        need = min(size, len(candidates)) - anyway
        used = {node for each in choose("numa", *question) for node in numa[each]}
        self.assertLessEqual(len(used), len(forced) + fewest(others, need))

    @given(questions(some_nodes))
    @example(([Candidate("d0", "a", (0, 1)), Candidate("d1", "b", (1,))], [], 2))
    def test_devices_on_several_nodes(self, question: Question) -> None:
        """If one node is enough for all, one is used."""
        candidates, must, size = question
        numa = {each.id: each.numa for each in candidates}

        def at(nodes: Sequence[int]) -> set[str]:
            return {id_ for id_, near in numa.items() if not near or set(near) & set(nodes)}

        everywhere = [each.numa for each in candidates if each.numa]
        common = set.intersection(*map(set, everywhere)) if everywhere else set()
        chosen = choose("numa", candidates, must, size)
        if common:
            self.assertLessEqual(set(chosen), at([min(common)]))

    def test_packs_among_nodes(self) -> None:
        """The smallest node that is enough is used, and packed there."""
        candidates = [
            *(Candidate(f"a{n}", f"a{n // 2}", (0,)) for n in range(6)),
            *(Candidate(f"b{n}", f"b{n // 3}", (1,)) for n in range(4)),
            Candidate("anywhere", "c"),
        ]
        for must, size, expected in (
            ([], 1, ["anywhere"]),
            ([], 3, ["b0", "b1", "b2"]),
            (["a2"], 2, ["a2", "a3"]),
            (["a2"], 4, ["a0", "a1", "a2", "a3"]),
            (["a2", "b3"], 3, ["a2", "a3", "b3"]),
            ([], 5, ["b0", "b1", "b2", "b3", "anywhere"]),
        ):
            self.assertEqual(choose("numa", candidates, must, size), expected)

    def test_forced_on_several_nodes(self) -> None:
        """Of the nodes of an id that must be included, the one with more other ids is used."""
        candidates = [
            Candidate("wide", "w", (0, 1)),
            Candidate("a", "a", (0,)),
            *(Candidate(f"b{n}", f"b{n}", (1,)) for n in range(3)),
        ]
        self.assertEqual(choose("numa", candidates, ["wide"], 3), ["wide", "b0", "b1"])
        self.assertEqual(choose("numa", candidates[:3], ["wide"], 2), ["wide", "a"])
