"""Tests for `twistdp.resource.policies`."""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.resource import policies
from twistdp.resource.policies import MAX_NODE_SETS, MAX_WEIGHED, Candidate, choose
from twistdp.settings import POLICIES

Question = tuple[list[Candidate], list[str], int]
Cost = tuple[Any, ...]

no_node = st.just(())
one_node = st.one_of(no_node, st.integers(0, 2).map(lambda n: (n,)))
one_of_eight = st.integers(0, 7).map(lambda n: (n,))
some_nodes = st.lists(st.integers(0, 3), max_size=3, unique=True).map(tuple)
some_of_many = st.lists(st.integers(0, 19), max_size=3, unique=True).map(tuple)


@st.composite
def questions(draw: st.DrawFn, numa: st.SearchStrategy[tuple[int, ...]], most: int = 9) -> Question:
    """Candidates with scattered ranks, some that must be included, and a size."""
    places = draw(st.lists(st.tuples(st.sampled_from("abcde"), numa), max_size=most))
    ranks = draw(st.permutations(range(len(places))))
    candidates = [
        Candidate(f"d{rank}", 3 * rank, group, nodes)
        for rank, (group, nodes) in zip(ranks, places, strict=True)
    ]
    must = [each.id for each in candidates if draw(st.integers(0, 3)) == 0]
    return candidates, must, draw(st.integers(0, len(candidates) + 1))


@st.composite
def cards(draw: st.DrawFn) -> Question:
    """Groups of up to a dozen ids, interleaved or not, with one group forced or none."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=9))
    groups = [str(card) for card, size in enumerate(sizes) for _ in range(size)]
    if draw(st.booleans()):
        draw(st.randoms(use_true_random=False)).shuffle(groups)
    candidates = [Candidate(f"d{rank}", rank, group) for rank, group in enumerate(groups)]
    must = ["d0"] if draw(st.booleans()) else []
    return candidates, must, draw(st.integers(1, len(candidates)))


def answers(question: Question) -> Iterator[list[Candidate]]:
    """Each set of the size asked for with all that must be included, in natural order."""
    candidates, must, size = question
    ordered = sorted(candidates, key=lambda each: each.rank)
    kept = [each for each in ordered if each.id in must]
    free = [each for each in ordered if each.id not in must]
    for added in combinations(free, max(0, min(size - len(kept), len(free)))):
        yield sorted([*kept, *added], key=lambda each: each.rank)


def natural_order(answer: Sequence[Candidate]) -> list[int]:
    """What decides between equally good answers: the least goes first."""
    return [each.rank for each in answer]


def packed_cost(available: Iterable[Candidate], answer: Sequence[Candidate]) -> Cost:
    """How many groups are touched, and how many ids are left in them."""
    touched = {each.group for each in answer}
    left = [each for each in available if each.group in touched and each not in answer]
    return len(touched), len(left), natural_order(answer)


def spread_cost(answer: Sequence[Candidate]) -> Cost:
    """How many ids of one group are chosen at most."""
    chosen = Counter(each.group for each in answer)
    return max(chosen.values(), default=0), natural_order(answer)


def numa_cost(available: Iterable[Candidate], answer: Sequence[Candidate]) -> Cost:
    """How many nodes are touched, and what packing costs among the ids on these nodes."""
    nodes = {node for each in answer for node in each.numa}
    there = [each for each in available if nodes.issuperset(each.numa)]
    return len(nodes), *packed_cost(there, answer)


def on_nodes(candidates: Iterable[Candidate], nodes: Collection[int]) -> list[Candidate]:
    """The candidates that are near one of the nodes, or near none at all."""
    return [each for each in candidates if not each.numa or set(each.numa) & set(nodes)]


def useful_nodes(question: Question) -> tuple[int, ...]:
    """The fewest nodes that are enough; of these most useful, with the lowest numbers."""
    candidates, must, size = question
    size = max(min(size, len(candidates)), len(must))
    known = sorted({node for each in candidates for node in each.numa})
    for number in range(len(known) + 1):
        enough = []
        for nodes in combinations(known, number):
            usable = on_nodes(candidates, nodes)
            if len(usable) >= size and {each.id for each in usable}.issuperset(must):
                enough.append((-len(usable), nodes))
        if enough:
            return min(enough)[1]
    raise AssertionError("all nodes together are enough")


def ids(answer: Iterable[Candidate]) -> list[str]:
    """What the function under test returns for an answer."""
    return [each.id for each in answer]


class AnyPolicyTests(SynchronousTestCase):
    """What holds for `choose` with every policy."""

    @given(questions(some_of_many, most=24), st.sampled_from(POLICIES))
    @settings(deadline=None)
    def test_valid(self, question: Question, policy: str) -> None:
        """It gives so many different available ids in natural order, with all that must be."""
        candidates, must, size = question
        chosen = choose(policy, candidates, must, size)
        ranks = {each.id: each.rank for each in candidates}
        self.assertEqual(chosen, sorted(chosen, key=ranks.__getitem__))
        self.assertEqual(len(chosen), max(min(size, len(candidates)), len(must)))
        self.assertEqual(len(set(chosen)), len(chosen))
        self.assertLessEqual(set(must), set(chosen))

    @given(questions(some_of_many, most=24), st.sampled_from(POLICIES), st.randoms())
    @settings(deadline=None)
    def test_order_does_not_matter(
        self, question: Question, policy: str, shuffler: random.Random
    ) -> None:
        """The same candidates in another order, even repeated, give the same answer."""
        candidates, must, size = question
        chosen = choose(policy, candidates, must, size)
        again, must_again = [*candidates, *candidates[:3]], [*must, *must]
        shuffler.shuffle(again)
        shuffler.shuffle(must_again)
        self.assertEqual(choose(policy, iter(again), must_again, size), chosen)

    def test_odd_questions(self) -> None:
        """Unknown ids are ignored, and sizes out of range give as much or little as there is."""
        candidates = [Candidate(f"d{n}", n, f"card{n // 2}", (n % 2,)) for n in range(4)]
        everything = ids(candidates)
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


class NoneTests(SynchronousTestCase):
    """`choose` without a preference."""

    @given(questions(no_node))
    @settings(deadline=None)
    def test_first_in_natural_order(self, question: Question) -> None:
        """It takes the first ids in natural order."""
        best = min(answers(question), key=natural_order)
        self.assertEqual(choose("none", *question), ids(best))


class PackedTests(SynchronousTestCase):
    """`choose` with the policy ``packed``."""

    @given(questions(no_node))
    @settings(deadline=None, max_examples=300)
    def test_optimal(self, question: Question) -> None:
        """Of all possible answers it gives the best, and of those the first."""
        best = min(answers(question), key=lambda answer: packed_cost(question[0], answer))
        self.assertEqual(choose("packed", *question), ids(best))

    @given(cards())
    @settings(deadline=None, max_examples=300)
    def test_optimal_set_of_groups(self, question: Question) -> None:
        """Of all sets of groups of many sizes it takes the best, and of those the first."""
        candidates, must, size = question
        groups = sorted({each.group for each in candidates})
        found = []
        for number in range(1, len(groups) + 1):
            for touched in combinations(groups, number):
                usable = [each for each in candidates if each.group in touched]
                if len(usable) >= size and set(must) <= set(ids(usable)):
                    found.append((len(usable), natural_order(usable[:size]), usable[:size]))
            if found:
                break
        self.assertEqual(choose("packed", *question), ids(min(found)[2]))

    def test_sets_of_groups(self) -> None:
        """Few groups go first, then little left over, then natural order."""
        for sizes, size, expected in (
            ([1, 1, 1, 3], 3, {3}),
            ([8, 4, 5, 4], 4, {1}),
            ([4, 4, 4, 4], 8, {0, 1}),
            ([7, 6, 5, 4, 3], 9, {1, 4}),
            ([5, 6, 3, 4], 9, {0, 3}),
            ([1, 5, 9, 9, 9, 2], 20, {2, 3, 5}),
            ([9, 9, 2, 4, 4, 9, 9], 26, {0, 1, 5}),
            ([4, 3, 5, 4, 4], 12, {0, 1, 2}),
        ):
            groups = [group for group, number in enumerate(sizes) for _ in range(number)]
            candidates = [Candidate(f"d{n}", n, f"g{group}") for n, group in enumerate(groups)]
            chosen = choose("packed", candidates, [], size)
            touched = {group for n, group in enumerate(groups) if f"d{n}" in chosen}
            self.assertEqual(touched, expected, f"{size} of {sizes}")

    def test_begun_groups_are_filled(self) -> None:
        """A card of which an id must be included is used up before another is begun."""
        candidates = [Candidate(f"d{n}", n, f"card{n // 4}") for n in range(12)]
        self.assertEqual(choose("packed", candidates, ["d6"], 4), ["d4", "d5", "d6", "d7"])

    def test_many(self) -> None:
        """Of ten thousand ids, thousands are chosen exactly too."""
        sizes = [60 + n % 80 for n in range(100)]
        groups = [group for group, number in enumerate(sizes) for _ in range(number)]
        candidates = [Candidate(f"d{n}", n, f"g{group}") for n, group in enumerate(groups)]
        for size in (64, 5000):
            chosen = set(choose("packed", candidates, [], size))
            touched = {group for n, group in enumerate(groups) if f"d{n}" in chosen}
            largest = sorted(sizes, reverse=True)
            self.assertLess(sum(largest[: len(touched) - 1]), size)
            self.assertEqual(sum(sizes[group] for group in touched), size)


class SpreadTests(SynchronousTestCase):
    """`choose` with the policy ``spread``."""

    @given(questions(no_node))
    @settings(deadline=None, max_examples=300)
    def test_optimal(self, question: Question) -> None:
        """Of all possible answers it gives the best, and of those the first."""
        best = min(answers(question), key=spread_cost)
        self.assertEqual(choose("spread", *question), ids(best))

    def test_cards(self) -> None:
        """Each card gives one id before one gives a second."""
        candidates = [Candidate(f"d{n}", n, f"card{n // 4}") for n in range(12)]
        for must, size, expected in (
            ([], 3, ["d0", "d4", "d8"]),
            ([], 4, ["d0", "d1", "d4", "d5"]),
            (["d2"], 3, ["d2", "d4", "d8"]),
            (["d2", "d3"], 4, ["d2", "d3", "d4", "d5"]),
            (["d4", "d5", "d6"], 5, ["d0", "d1", "d4", "d5", "d6"]),
        ):
            self.assertEqual(choose("spread", candidates, must, size), expected)


class NumaTests(SynchronousTestCase):
    """`choose` with the policy ``numa``."""

    @given(questions(one_node))
    @settings(deadline=None, max_examples=300)
    def test_optimal(self, question: Question) -> None:
        """With devices on one node or none, it gives the best answer, and of those the first."""
        best = min(answers(question), key=lambda answer: numa_cost(question[0], answer))
        self.assertEqual(choose("numa", *question), ids(best))

    @given(questions(one_of_eight))
    @settings(deadline=None, max_examples=200)
    def test_optimal_on_eight_nodes(self, question: Question) -> None:
        """With eight nodes the answer is still the best."""
        best = min(answers(question), key=lambda answer: numa_cost(question[0], answer))
        self.assertEqual(choose("numa", *question), ids(best))

    @given(questions(some_nodes))
    @example(([Candidate("d0", 0, "a", (0, 1)), Candidate("d1", 1, "b", (1,))], [], 1))
    @settings(deadline=None, max_examples=300)
    def test_devices_on_several_nodes(self, question: Question) -> None:
        """With a device on several nodes it packs on the fewest nodes, the most useful ones."""
        candidates, must, size = question
        if all(len(each.numa) < 2 for each in candidates):
            return
        there = on_nodes(candidates, useful_nodes(question))
        best = min(
            answers((there, must, max(min(size, len(candidates)), len(must)))),
            key=lambda answer: packed_cost(there, answer),
        )
        self.assertEqual(choose("numa", *question), ids(best))

    def test_packs_among_nodes(self) -> None:
        """Of nodes that are enough, the one where packing is better is taken."""
        candidates = [
            *(Candidate(f"a{n}", n, f"a{n}", (0,)) for n in range(4)),
            *(Candidate(f"b{n}", 10 + n, "b", (1,)) for n in range(4)),
            *(Candidate(f"c{n}", 20 + n, "c", (2,)) for n in range(3)),
        ]
        for must, size, expected in (
            ([], 3, ["c0", "c1", "c2"]),
            ([], 4, ["b0", "b1", "b2", "b3"]),
            (["a2"], 2, ["a0", "a2"]),
            (["a2", "c1"], 3, ["a2", "c0", "c1"]),
            ([], 7, ["b0", "b1", "b2", "b3", "c0", "c1", "c2"]),
        ):
            self.assertEqual(choose("numa", candidates, must, size), expected)

    def test_all_sets_of_nodes(self) -> None:
        """With eight nodes in question all sets are compared, and forced ones are not counted."""
        for nodes, must, expected in (
            (8, [], {4, 5, 6, 7}),
            (12, ["d0", "d2", "d4", "d6"], {0, 1, 2, 3, 8, 9, 10, 11}),
        ):
            candidates = [
                Candidate(f"d{n}", n, f"g{n}" if n < 2 * nodes - 8 else f"card{n // 2}", (n // 2,))
                for n in range(2 * nodes)
            ]
            chosen = choose("numa", candidates, must, 2 * len(expected))
            self.assertEqual({int(each[1:]) // 2 for each in chosen}, expected)

    def test_many_nodes(self) -> None:
        """With too many sets of nodes to compare, the fullest nodes are taken."""
        counts = [2, 1, 3, 1, 3, 2, 1, 1, 1, 1]
        nodes = [node for node, count in enumerate(counts) for _ in range(count)]
        candidates = [Candidate(f"d{n}", n, f"g{n}", (node,)) for n, node in enumerate(nodes)]
        self.assertGreater(len(list(combinations(counts, 4))), MAX_NODE_SETS)
        chosen = choose("numa", candidates, [], 10)
        self.assertEqual({nodes[int(each[1:])] for each in chosen}, {0, 2, 4, 5})
        chosen = choose("numa", candidates, ["d2"], 11)
        self.assertEqual({nodes[int(each[1:])] for each in chosen}, {0, 1, 2, 4, 5})

    def test_many_nodes_and_must_on_several(self) -> None:
        """With too many sets of nodes, what must be included is served before what is many."""
        candidates = [
            *(Candidate(f"d{n}", n, f"g{n}", (n // 2,)) for n in range(20)),
            Candidate("wide", 99, "w", (8, 9)),
            Candidate("other", 100, "w", (6, 7)),
        ]
        chosen = choose("numa", candidates, ["wide", "other"], 10)
        self.assertEqual(
            chosen, ["d0", "d1", "d2", "d3", "d12", "d13", "d16", "d17", "wide", "other"]
        )


class BoundTests(SynchronousTestCase):
    """What advice costs, however many devices there are."""

    def test_many(self) -> None:
        """With so many devices one set of the fewest nodes is looked at, not each of them."""
        several = 4000
        self.assertGreater(several * MAX_NODE_SETS, MAX_WEIGHED)
        candidates = [
            Candidate(f"d{rank}", rank, f"g{rank // 8}", (rank % 8,)) for rank in range(several)
        ]
        counted = 0
        packed = policies._packed

        def counting(*arguments: Any) -> Any:
            nonlocal counted
            counted += 1
            return packed(*arguments)

        self.patch(policies, "_packed", counting)
        chosen = choose("numa", candidates, [], several // 2)
        self.assertEqual(counted, 1)
        self.assertEqual(len({int(each[1:]) % 8 for each in chosen}), 4)
        self.assertEqual(len(chosen), several // 2)
