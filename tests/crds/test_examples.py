"""Tests that the objects in the pages are such as the operator takes."""

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import PAGES, blocks
from twistdp.crds import KIND, read


class ExampleTests(SynchronousTestCase):
    """Objects as the pages print them."""

    def test_read(self) -> None:
        """Each DevicePlugin in a page has no problem."""
        found = [
            (block, each)
            for path in PAGES
            for block in blocks(path)
            if block.language == "yaml"
            for each in yaml.safe_load_all(block.text)
            if isinstance(each, dict) and each.get("kind") == KIND
        ]
        self.assertGreaterEqual(len(found), 3)
        for block, each in found:
            with self.subTest(block=str(block)):
                read(each)
