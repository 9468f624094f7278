"""Every rule is kept and broken as it says, in Python and in CEL alike."""

from twisted.trial.unittest import SynchronousTestCase

from tests.crds.cases import CASES, KVM, SCANNER
from tests.crds.celling import broken, holds
from tests.crds.objects import an_object
from twistdp.crds import BadObject, read, rules


class CaseTests(SynchronousTestCase):
    """Each rule has an object that keeps it, and one that breaks it and no other."""

    def test_kept(self) -> None:
        """What keeps the rules is accepted."""
        for case in CASES:
            with self.subTest(case=case.words):
                self.assertEqual([], list(broken(case.good)))
                read(case.good)

    def test_broken(self) -> None:
        """What breaks one rule is refused by this one alone, at its place, with its message."""
        for case in CASES:
            with self.subTest(case=case.words):
                ((place, rule),) = broken(case.bad)
                self.assertEqual(case.place, place)
                self.assertIn(case.words, rule.message)
                error = self.assertRaises(BadObject, read, case.bad)
                self.assertEqual((f"{place}: {rule.message}",), error.problems)

    def test_all(self) -> None:
        """No rule is without such objects."""
        tried = {rule.expression for case in CASES for _, rule in broken(case.bad)}
        for place, found in rules().items():
            for rule in found:
                if not rule.transition:
                    self.assertIn(rule.expression, tried, place)

    def test_messages(self) -> None:
        """A message states a fact, then a remedy, in one line."""
        for found in rules().values():
            for rule in found:
                self.assertIn("; ", rule.message)
                self.assertTrue(rule.message.isprintable())


class TransitionTests(SynchronousTestCase):
    """The object before shows what cannot change."""

    def test_domain(self) -> None:
        """A domain neither changes nor comes nor goes."""
        (rule,) = (each for found in rules().values() for each in found if each.transition)
        intel = {"catalog": [{"name": "intel-npu"}]}
        specs = [KVM, {**KVM, "domain": "b.example"}, intel, {**intel, "domain": "b.example"}]
        for old in specs:
            for new in specs:
                same = old.get("domain") == new.get("domain")
                with self.subTest(old=old, new=new):
                    self.assertEqual(same, holds(rule, new, old))
                    known = [read(an_object(**each)).spec for each in (new, old)]
                    self.assertEqual(same, rule.check(*known))
                    found = [place for place, _ in broken(an_object(**new), an_object(**old))]
                    self.assertEqual([] if same else ["spec.domain"], found)

    def test_source_may_change(self) -> None:
        """A scanner can take the place of an entry in the same domain."""
        self.assertEqual([], list(broken(an_object(**SCANNER), an_object(**KVM))))
