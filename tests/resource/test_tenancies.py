"""Tests for `twistdp.resource.tenancies`: what an answer of the kubelet's releases."""

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from twistdp.model import Holder
from twistdp.resource.tenancies import CONFIRMED, SETTLED, Key, Release, Tenancies

R = "x.example/a"
P, Q = (Holder("default", name, "main") for name in "pq")
DNS = ("kube-system", "dns-x7k2p")


def pods(*holders: Holder) -> set[tuple[str, str]]:
    """The pods of these containers, and one without devices."""
    return {DNS, *((holder.namespace, holder.pod) for holder in holders)}


class TenanciesTests(SynchronousTestCase):
    """At the time `now`, with what the kubelet answers."""

    def begin(self, held: dict[Key, Holder | None] | None = None) -> None:
        """Begin with what was held before."""
        self.now = 100.0
        self.tenancies = Tenancies(held or {}, self.now)

    def answer(
        self,
        listed: dict[str, Holder],
        others: Iterable[Holder] = (),
        *,
        after: float = 0.0,
        late: float = 0.0,
        has_all_pods: bool = True,
    ) -> list[Release]:
        """The kubelet answers `late` seconds after it was asked."""
        self.now += after
        keys = {(R, id_): holder for id_, holder in listed.items()}
        seen = pods(*listed.values(), *others)
        return self.tenancies.answered(
            keys, seen, self.now - late, self.now, has_all_pods=has_all_pods
        )

    def settle(self, listed: dict[str, Holder]) -> None:
        """The kubelet has known its pods for long."""
        self.answer(listed)
        self.answer(listed, after=SETTLED)

    def test_gone(self) -> None:
        """A device that is in no answer for a while is given back, once."""
        self.begin()
        self.settle({"1": P, "2": Q})
        self.assertEqual(self.answer({"2": Q}, after=5.0), [])
        self.assertEqual(self.answer({"2": Q}, after=CONFIRMED / 2), [])
        self.assertEqual(self.answer({"2": Q}, after=CONFIRMED / 2), [Release(R, "1", P)])
        self.assertEqual(self.answer({"2": Q}, after=100.0), [])

    def test_back_again(self) -> None:
        """One that is in an answer in between is not."""
        self.begin()
        self.settle({"1": P})
        for _ in range(5):
            self.assertEqual(self.answer({}, after=CONFIRMED - 0.1), [])
            self.assertEqual(self.answer({"1": P}, after=0.05), [])

    def test_after_a_start(self) -> None:
        """A kubelet or a plugin that has just started counts later, unless it knows the pod."""
        self.begin({(R, "1"): P, (R, "2"): Q})
        self.assertEqual(self.answer({}, [P]), [])
        self.assertEqual(self.answer({}, [P], after=CONFIRMED), [Release(R, "1", P)])
        self.assertEqual(self.answer({}, after=SETTLED - CONFIRMED - 0.1), [])
        self.assertEqual(self.answer({}, after=0.1), [Release(R, "2", Q)])

    def test_another_of_its_name(self) -> None:
        """A pod that comes into the answers, without the device, has not lacked it before that."""
        self.begin()
        self.settle({"1": P})
        self.tenancies.forget_kubelet()
        self.assertEqual(self.answer({"3": Q}, after=1.0), [])  # a pod of a file, not told apart
        self.assertEqual(self.answer({"2": P}, after=CONFIRMED - 0.1), [])
        self.assertEqual(self.answer({"2": P}, after=CONFIRMED - 0.1), [])
        self.assertEqual(self.answer({"2": P}, after=0.1), [Release(R, "1", P)])

    def test_no_answer(self) -> None:
        """An answer that is missing releases nothing, and neither do the first ones after it."""
        self.begin()
        self.settle({"1": P})
        self.assertEqual(self.answer({}, after=1.0), [])
        self.tenancies.forget_kubelet()
        self.assertEqual(self.answer({}, after=100.0), [])
        self.assertEqual(self.answer({}, after=CONFIRMED), [])
        self.assertEqual(self.answer({}, after=SETTLED - CONFIRMED), [Release(R, "1", P)])

    def test_only_pods_of_files(self) -> None:
        """A kubelet without API server knows only pods of files, for as long as that takes."""
        self.begin({(R, "1"): P})
        for _ in range(20):
            self.assertEqual(self.answer({}, after=10.0, has_all_pods=False), [])
        self.assertEqual(self.answer({"1": P}), [])

        self.settle({"1": P})
        self.assertEqual(self.answer({}, after=1.0, has_all_pods=False), [])
        self.assertEqual(self.answer({}, after=1.0), [])
        self.assertEqual(self.answer({}, after=SETTLED - 0.1), [])
        self.assertEqual(self.answer({}, after=0.1), [Release(R, "1", P)])

    def test_missing_before_a_restart(self) -> None:
        """A device in no answer of the old kubelet counts from the answers of the next one."""
        self.begin()
        self.settle({"1": P})
        self.assertEqual(self.answer({}, [P], after=1.0), [])
        self.tenancies.forget_kubelet()
        self.assertEqual(self.answer({}, [P], after=CONFIRMED), [])
        self.assertEqual(self.answer({}, [P], after=CONFIRMED), [Release(R, "1", P)])

    def test_one_of_many(self) -> None:
        """A device is given back though many others are held that are in no answer."""
        self.begin()
        self.settle({"1": P})
        self.tenancies.allocated(R, [f"other-{number}" for number in range(30)], self.now)
        self.assertEqual(self.answer({}, [P]), [])
        self.assertEqual(self.answer({}, [P], after=CONFIRMED), [Release(R, "1", P)])

    def test_another_pod(self) -> None:
        """A device of another pod was given back; one of another container of the pod was not."""
        self.begin()
        self.answer({"1": P})
        self.assertEqual(self.answer({"1": Holder("default", "p", "side")}), [])
        self.assertEqual(self.answer({"1": Q}), [Release(R, "1", Holder("default", "p", "side"))])

    def test_given_again(self) -> None:
        """Allocate shows it at once, and also if the next pod has the same name."""
        self.begin()
        self.answer({"1": P})
        self.assertEqual(self.tenancies.allocated(R, ["1", "2"], self.now), [Release(R, "1", P)])
        self.assertEqual(self.answer({"1": P, "2": P}, after=0.1), [])

    def test_an_answer_from_before(self) -> None:
        """An answer that was under way when Allocate came has who had the device before."""
        self.begin()
        self.answer({"1": P})
        self.tenancies.allocated(R, ["1"], self.now)
        self.assertEqual(self.answer({"1": P}, after=0.02, late=0.03), [])
        self.assertEqual(self.answer({"1": Q}, after=1.0), [])
        self.assertEqual(self.tenancies.held[R, "1"].holder, Q)

    def test_others_in_an_answer_from_before(self) -> None:
        """The other devices in such an answer count."""
        self.begin()
        self.answer({"1": P, "2": P})
        self.tenancies.allocated(R, ["1"], self.now)
        late = self.answer({"1": P, "2": Q}, after=0.02, late=0.03)
        self.assertEqual(late, [Release(R, "2", P)])

    def test_never_listed(self) -> None:
        """A device in no answer is held until the kubelet keeps it for nobody."""
        self.begin()
        self.settle({})
        self.tenancies.allocated(R, ["1"], self.now)
        self.assertEqual(self.tenancies.unlisted(self.now + SETTLED - 0.1), set())
        self.assertEqual(self.answer({}, after=SETTLED), [])
        self.assertEqual(self.tenancies.unlisted(self.now), {(R, "1")})
        self.assertEqual(self.tenancies.not_kept([(R, "1")], self.now), [])
        self.assertEqual(self.tenancies.look_again(self.now), CONFIRMED)
        self.now += CONFIRMED
        self.assertEqual(self.tenancies.not_kept([(R, "1")], self.now), [Release(R, "1", None)])
        self.assertEqual(self.tenancies.not_kept([(R, "1")], self.now), [])

    def test_never_listed_and_given_again(self) -> None:
        """A pod's own init container hands it on; later, another pod has it."""
        self.begin()
        self.tenancies.allocated(R, ["1"], self.now)
        self.assertEqual(self.tenancies.allocated(R, ["1"], self.now + 0.1), [])
        self.now += SETTLED + 0.1
        self.assertEqual(self.tenancies.allocated(R, ["1"], self.now), [Release(R, "1", None)])
        self.begin({(R, "1"): None})
        self.assertEqual(self.tenancies.allocated(R, ["1"], self.now), [Release(R, "1", None)])

    def test_kept_anew(self) -> None:
        """What the file has counts from the last Allocate on, and from the last kubelet's start."""
        self.begin()
        self.settle({})
        keys = [(R, "1")]
        for again in (
            lambda: self.tenancies.allocated(R, ["1"], self.now),
            self.tenancies.forget_kubelet,
        ):
            self.tenancies.allocated(R, ["1"], self.now)
            self.answer({}, after=SETTLED)
            self.assertEqual(self.tenancies.not_kept(keys, self.now), [])
            again()
            self.answer({}, after=SETTLED)
            self.now += CONFIRMED
            self.assertEqual(self.tenancies.not_kept(keys, self.now), [])
        self.now += CONFIRMED
        self.assertEqual(self.tenancies.not_kept(keys, self.now), [Release(R, "1", None)])

    def test_no_longer_unlisted(self) -> None:
        """A device that was given again while the file was read is held."""
        self.begin()
        self.settle({})
        self.tenancies.allocated(R, ["1"], self.now)
        self.answer({}, after=SETTLED)
        self.assertEqual(self.tenancies.not_kept([(R, "1")], self.now), [])
        self.tenancies.allocated(R, ["1"], self.now)
        for times in (1, 2, 3):
            later = self.now + times * CONFIRMED
            self.assertEqual(self.tenancies.not_kept([(R, "1")], later), [])
        self.assertEqual([*self.tenancies.held], [(R, "1")])

    def test_unlisted_by_a_new_kubelet(self) -> None:
        """Only a kubelet that has known its pods for a while lists a device for nobody."""
        self.begin()
        self.tenancies.allocated(R, ["1"], self.now)
        self.answer({}, after=SETTLED)
        self.assertEqual(self.tenancies.unlisted(self.now), set())
        self.assertEqual(self.tenancies.unlisted(self.now + CONFIRMED), {(R, "1")})

    def test_look_again_when_more_is_known(self) -> None:
        """The next look is when a device in no answer counts as given back, or may be anybody's."""
        self.begin({(R, "1"): P})
        self.answer({})
        self.assertEqual(self.tenancies.look_again(self.now), CONFIRMED)
        self.answer({}, after=CONFIRMED)
        self.assertEqual(self.tenancies.look_again(self.now), SETTLED - CONFIRMED)
        self.begin()
        self.answer({"1": P})
        self.assertEqual(self.tenancies.look_again(self.now + 4.0), SETTLED)
        self.answer({}, [P])
        self.tenancies.allocated(R, ["1"], self.now)
        self.assertEqual(self.tenancies.look_again(self.now + 1.0), SETTLED - 1.0)

    def test_look_again(self) -> None:
        """There is a time for the next look while somebody has a device."""
        self.begin()
        self.assertIsNone(self.tenancies.look_again(self.now))
        self.settle({"1": P})
        self.assertEqual(self.tenancies.look_again(self.now), SETTLED)
        self.answer({})
        self.assertEqual(self.tenancies.look_again(self.now), CONFIRMED)
        self.answer({}, after=CONFIRMED)
        self.assertIsNone(self.tenancies.look_again(self.now))
