"""Tests for twistdp.health.values, and for their counterparts in the configuration file."""

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from twistdp import health
from twistdp.config import checks
from twistdp.errors import BadSetting


class ValueTests(SynchronousTestCase):
    """The kinds of checks."""

    def test_refused(self) -> None:
        """A check that could never be made is refused where it is written."""
        for make in (
            lambda: health.Present("/x", every=0.0),
            lambda: health.Present("/x", timeout=float("nan")),
            lambda: health.Present("/x", healthy_after=0),
            lambda: health.Command([]),
            lambda: health.Command(["probe"]),
            lambda: health.Command(["/bin/true", "a\0b"]),
            lambda: health.Http("http://x", status=[]),
            lambda: health.Http("http://x", status=[200, 99]),
            lambda: health.Http("http://x", status=600),
            lambda: health.Tcp("localhost"),
            lambda: health.Tcp(":80"),
            lambda: health.Tcp("localhost:0"),
            lambda: health.Tcp("localhost:65536"),
        ):
            self.assertRaises(BadSetting, make)

    def test_single_values(self) -> None:
        """A single text or status stands for a list of one, and checks can be compared."""
        self.assertEqual(health.Command("/bin/true"), health.Command(["/bin/true"]))
        self.assertEqual(health.Http("http://x", status=204).status, (204,))
        self.assertEqual(hash(health.File("/x", equals="a")), hash(health.File("/x", equals=["a"])))

    def test_same_defaults(self) -> None:
        """A check of the file that says no more than it must is the same as one of a scanner."""
        for written, made in (
            (checks.PresentCheck(present="/x"), health.Present("/x")),
            (checks.FileCheck(file="/x"), health.File("/x")),
            (checks.AttributeCheck(attribute="a"), health.Attribute("/sys/devices/d", "a")),
            (checks.CommandCheck(command=["/x"]), health.Command(["/x"])),
            (checks.TcpCheck(tcp="x:1"), health.Tcp("x:1")),
            (checks.HttpCheck(http="http://x"), health.Http("http://x")),
        ):
            self.assertEqual(written.made({}, "/sys/devices/d", ""), made)

    def test_program(self) -> None:
        """A device cannot choose another program by what it says of itself."""
        written = checks.CommandCheck(command=["/opt/{serial}", "{serial}"])
        for serial in ("../bin/sh", "..", "a/b"):
            self.assertRaises(BadSetting, written.made, {"serial": serial}, "", "")
        made = written.made({"serial": "A1"}, "", "")
        self.assertEqual(made, health.Command(["/opt/A1", "A1"]))

    def test_everything_is_taken_over(self) -> None:
        """Each value that the file may have reaches the check; templates are filled in."""
        given: dict[str, Any] = {
            "every": 7.0,
            "timeout": 3.0,
            "healthy_after": 2,
            "unhealthy_after": 4,
        }
        written = checks.FileCheck(
            file="/{id}", optional=True, recover=False, reason="{id} is off", equals=["1"],
            contains="1", at_least=0.0, at_most=2.0, **given,
        )  # fmt: skip
        made = written.made({"id": "me"}, "", "/root")
        self.assertEqual(
            attrs.asdict(made) if made is not None else {},
            {
                "path": "/root/me", "optional": True, "recover": False, "reason": "me is off",
                "equals": ("1",), "contains": "1", "at_least": 0.0, "at_most": 2.0, **given,
            },
        )  # fmt: skip
        self.assertIsNone(written.made({}, "", ""))
