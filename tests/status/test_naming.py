"""Tests of scanners' names."""

import gc

from twisted.trial.unittest import SynchronousTestCase

from twistdp.status.naming import Names


class NamesTests(SynchronousTestCase):
    """No two scanners have the same name."""

    def test_numbers(self) -> None:
        """The first has that of its class, and a number becomes free with its scanner."""
        names = Names()
        scanners = [object() for _ in range(4)]
        kept = [names.claim(each, "x:Y") for each in scanners[:3]]
        self.assertEqual([each.text for each in kept], ["x:Y", "x:Y#2", "x:Y#3"])
        self.assertEqual(names.claim(scanners[3], "x:Z").text, "x:Z")
        self.assertEqual(names.of(scanners[1], "x:Y"), "x:Y#2")
        del kept[1]
        gc.collect()
        self.assertEqual(names.of(scanners[1], "x:Y"), "x:Y")
        kept.append(names.claim(scanners[1], "x:Y"))
        self.assertEqual(kept[-1].text, "x:Y#2")
