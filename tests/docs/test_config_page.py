"""The page about configuration files: all of them are read, and recipes yield their lists."""

import os
import re
import sys
from io import StringIO
from pathlib import Path
from textwrap import indent

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.pages import blocks, page
from tests.support.helpers import temporary_directory
from tests.support.trees import tree
from twistdp.cli import main
from twistdp.config.loading import load

PAGE = "docs/config.md"
CATALOG = "../../catalog/trees"
TREES = {
    "twins": ("serial", "modem", "line", "boiler"),
    "camera": ("camera", "picture", "dongle", "uplink"),
    "bench": ("reader", "tuner", "can"),
    "cards": ("kvm", "gpu", "transcode", "dri", "nic"),
    "nvme": ("scratch",),
    "soc": ("npu",),
    f"{CATALOG}/serial": ("z-wave",),
    f"{CATALOG}/usb": ("labels",),
    f"{CATALOG}/coral": ("coral",),
    f"{CATALOG}/misc": ("vm",),
}
"""The trees on which the recipes' lists were made, with the first resource of each."""

RECIPE = re.compile(r"^### ([^\n]+)\n[^#]*?```yaml\n(.+?)```\n\n```text\n(.+?)```\n", re.M | re.S)


class ConfigPageTests(SynchronousTestCase):
    """``docs/config.md``"""

    def scan(self, resource: str, where: str) -> str:
        """What ``twistdp scan`` prints for a resource on a tree, without owners and modes."""
        path = os.path.join(temporary_directory(self), "devices.yaml")
        text = f"domain: lab.example.com\nresources:\n{indent(resource, '  ')}"
        Path(path).write_text(text, encoding="utf-8")
        output = StringIO()
        self.patch(sys, "stdout", output)
        self.assertEqual(main(["scan", f"--config={path}", f"--root={tree(self, where)}"]), 0)
        return re.sub(r"(?m)  \S+:\S+ 0\d{3}$", "", output.getvalue())

    def test_recipes(self) -> None:
        """Each recipe comes to exactly what stands below it."""
        recipes = RECIPE.findall(page(PAGE))
        self.assertGreaterEqual(len(recipes), 20)
        self.assertEqual(len(recipes), page(PAGE).count("\n### "))
        for title, resource, wanted in recipes:
            name = resource.partition(":")[0]
            (where,) = (where for where, names in TREES.items() if name in names)
            self.assertEqual(self.scan(resource, where), wanted, title)

    def test_files(self) -> None:
        """Each whole file is one without a problem."""
        files = [each for each in blocks(PAGE) if each.text.startswith("domain:")]
        self.assertGreaterEqual(len(files), 2)
        for each in files:
            load(each.text, str(each))
