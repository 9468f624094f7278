"""Tests for what makes and checks a release: programs of ``.ci``, the workflows."""

import io
import os
import re
import tarfile
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from tests.support.scripts import script

ROOT = Path(__file__).resolve().parent.parent


bounds, dist, render = script("bounds"), script("dist"), script("render")


class BoundsTests(SynchronousTestCase):
    """The constraints of ``make test-lowest``."""

    def test_pins(self) -> None:
        """Each lower bound is a pin, with the marker of the requirement."""
        text = '[options]\ninstall_requires =\n  a >= 1.2\n  b.c>=3; python_version >= "3.12"\n'
        self.assertEqual(list(bounds.lowest(text)), ["a==1.2", 'b.c==3; python_version >= "3.12"'])

    def test_no_bound(self) -> None:
        """A dependency without a lower bound is refused."""
        text = "[options]\ninstall_requires =\n  a\n"
        self.assertRaises(ValueError, list, bounds.lowest(text))

    def test_ours(self) -> None:
        """All dependencies of this package have one."""
        pins = list(bounds.lowest((ROOT / "setup.cfg").read_text()))
        self.assertIn("pyinotify==0.9.6", pins)


class RenderTests(SynchronousTestCase):
    """What ``make version`` writes again."""

    def test_files(self) -> None:
        """Each file is as it would be written."""
        for path, text in render.files().items():
            self.assertEqual(path.read_text("utf-8"), text, path)

    def test_version(self) -> None:
        """A page names the image's version, whatever the one before, and no other changes."""
        self.assertEqual(
            render.with_version("`twistdp:0.1.0rc1`. `a:1.2` newTag: 1.2.dev0\n", "3.4"),
            "`twistdp:3.4`. `a:1.2` newTag: 3.4\n",
        )

    def test_page(self) -> None:
        """The section about upgrades keeps its versions."""
        text = "a:0 twistdp:0.1.0\n## Upgrade\nto twistdp:0.9.0\n"
        self.assertEqual(
            render.in_page(text, "0.2.0"), "a:0 twistdp:0.2.0\n## Upgrade\nto twistdp:0.9.0\n"
        )

    def test_service_version(self) -> None:
        """Its image is that of the version, and has been created when that was written."""
        text = 'containerImage: twistdp-operator:0.1.0\ncreatedAt: "2026-11-27T12:00:00Z"\n'
        self.assertEqual(render.service_version(text, "0.1.0"), text)
        image, created = render.service_version(text, "0.2.0").splitlines()
        self.assertEqual(image, "containerImage: twistdp-operator:0.2.0")
        self.assertRegex(created, r'^createdAt: "20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"$')
        self.assertNotIn("2026-11-27T12:00:00Z", created)


class DistTests(SynchronousTestCase):
    """The checks of ``make dist``."""

    def wheel(self, name: str, mode: int = 0o644, **members: str) -> Path:
        """An archive."""
        path = Path(self.directory) / name
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in members.items():
                info = zipfile.ZipInfo(member)
                info.external_attr = mode << 16
                archive.writestr(info, text)
        return path

    def sdist(self, name: str, mtime: float, *members: str, content: bytes = b"x") -> Path:
        """An archive as it is built at some time by some user."""
        path = Path(self.directory) / name
        with tarfile.open(path, "w:gz") as archive:
            for member in members:
                info = tarfile.TarInfo(member)
                info.mtime, info.uid, info.uname = mtime, int(mtime), f"user{mtime}"
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return path

    def setUp(self) -> None:
        """A directory for archives."""
        self.directory = temporary_directory(self)

    def test_same(self) -> None:
        """Equal wheels are equal."""
        self.assertEqual(dist.differences(self.wheel("a", x="1"), self.wheel("b", x="1")), [])

    def test_different(self) -> None:
        """Differences in content, mode and presence of members are reported by name."""
        one = self.wheel("a", x="1", y="1")
        self.assertEqual(dist.differences(one, self.wheel("b", x="1", y="2", z="")), ["y", "z"])
        other = self.wheel("b", mode=0o600, x="1", y="1")
        self.assertEqual(dist.differences(one, other), ["x", "y"])

    def test_sdists(self) -> None:
        """When, where and by whom an sdist was built is not in it; what it has and its date are."""
        one, other = self.sdist("a.tar.gz", 5.5, "x", "y"), self.sdist("b.tar.gz", 7, "y", "x")
        self.assertNotEqual(dist.differences(one, other), [])
        for sdist in (one, other):
            dist.normalise(sdist, 1000)
        self.assertEqual(dist.differences(one, other), [])
        self.assertEqual({content for _, content in dist.members(one)}, {(b"x", 1000, 0o644)})
        another = self.sdist("c.tar.gz", 7, "x", "z", content=b"y")
        dist.normalise(another, 1000)
        self.assertEqual(dist.differences(one, another), ["x", "y", "z"])

    def test_emptied(self) -> None:
        """What an earlier version left is removed, and nothing else."""
        target = Path(self.directory) / "dist"
        for name in ("twistdp-0.1.tar.gz", "twistdp-0.1-py3-none-any.whl", "twistdp-0.1.cdx.json"):
            (dist.emptied(target) / name).touch()
        (target / "notes.txt").touch()
        dist.emptied(target)
        self.assertEqual(os.listdir(target), ["notes.txt"])

    def test_command(self) -> None:
        """A line of the list counts, not a word in another one's text."""
        self.assertTrue(dist.lists_the_command("Commands:\n    deviceplugin   Serve"))
        self.assertFalse(dist.lists_the_command("Commands:\n    web   not a deviceplugin"))


class WorkflowTests(SynchronousTestCase):
    """The workflows of a public forge."""

    def test_targets(self) -> None:
        """They run targets of the Makefile, all that .ci/run does, and may only read."""
        text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
        makefile = (ROOT / "Makefile").read_text()
        used = set(" ".join(re.findall(r"(?:run: make|target:) ([a-z -]+)", text)).split())
        self.assertEqual(used - set(re.findall(r"(?m)^([a-z0-9-]+):", makefile)), set())
        checks = " ".join(re.findall(r"(?m)^make ([a-z ]+)", (ROOT / ".ci" / "run").read_text()))
        self.assertEqual(set(checks.split()) - used, set())
        # They skip without a real API server, and .ci/run has none.
        self.assertIn("envtest", used)
        self.assertIn("permissions:\n  contents: read\n", text)
