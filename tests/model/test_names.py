"""Tests for `twistdp.model.names`."""

import hashlib
import os
from pathlib import Path
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import BadName, BadSetting
from twistdp.model.names import (
    MAX_DEVICE_ID,
    MAX_SOCKET_PATH,
    check_device_id,
    check_namespace,
    check_resource_type,
    device_id,
    digest,
    natural_key,
    private_directory,
    socket_path,
)

LOWER = "abcdefghijklmnopqrstuvwxyz0123456789"
PLAIN = LOWER + LOWER.upper() + "._:@+-"

labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
domains = (
    st.lists(labels, min_size=1, max_size=5)
    .map(".".join)
    .filter(lambda name: not name.endswith("kubernetes.io") and not name.startswith("requests."))
)
resource_types = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", fullmatch=True)
directories = st.from_regex(r"(/[a-z]{1,30}){1,3}", fullmatch=True).filter(lambda d: len(d) <= 90)
file_names = (
    st.binary(min_size=1, max_size=255)
    .map(lambda name: name.replace(b"/", b"x").replace(b"\0", b"y"))
    .map(os.fsdecode)
)


class CheckNamespaceTests(SynchronousTestCase):
    """`check_namespace` follows the kubelet's rules for the domain of a resource."""

    def test_accepted(self) -> None:
        """A domain of one's own is returned as it is."""
        for namespace in (
            "lab.example",
            "k8s.io",
            "x",
            "0",
            "a-b.c--d.example",
            "kubernetes.io.example",
            "kubernetes.example",
            "requests",
            "requests-x.example",
            "a" * 244,
        ):
            self.assertEqual(check_namespace(namespace), namespace)

    def test_refused(self) -> None:
        """Names that the kubelet would refuse are refused, with the name and the reason."""
        own = "domain of your own"
        characters = "lower-case letters"
        for namespace, why in (
            ("", own),
            (None, own),
            (5, own),
            ("lab.example/x", "without '/'"),
            ("/", "without '/'"),
            ("kubernetes.io", "reserved"),
            ("node.kubernetes.io", "reserved"),
            ("mykubernetes.io", "reserved"),
            ("requests.example", "requests."),
            ("Lab.example", characters),
            ("lab example", characters),
            (" lab.example", characters),
            ("lab.example\n", characters),
            ("lab_x.example", characters),
            ("-lab.example", characters),
            ("lab-.example", characters),
            ("lab..example", characters),
            (".lab.example", characters),
            ("lab.example.", characters),
            ("läb.example", characters),
            ("a" * 245, "245 characters, at most 244"),
        ):
            error = self.assertRaises(BadName, check_namespace, namespace)
            self.assertIn(repr(namespace), str(error))
            self.assertIn(why, str(error))
            self.assertNotIn("\n", str(error))

    @given(domains)
    def test_any_domain(self, namespace: str) -> None:
        """Dot-separated labels are a namespace, up to the kubelet's limit."""
        self.assertEqual(check_namespace(namespace), namespace)


class CheckResourceTypeTests(SynchronousTestCase):
    """`check_resource_type` follows the kubelet's rules for the name after the slash."""

    def test_accepted(self) -> None:
        """A qualified name's last part is returned as it is."""
        for name in ("Widget_1.x", "x", "7", "a-b", "a" * 63, "A.b_C-9"):
            self.assertEqual(check_resource_type(name), name)

    def test_refused(self) -> None:
        """Names that the kubelet would refuse are refused, with the name and the reason."""
        characters = "letters, digits, '-', '_' and '.'"
        for name, why in (
            ("", "give a name"),
            (None, "give a name"),
            (b"x", "give a name"),
            ("-x", characters),
            ("_x", characters),
            (".x", characters),
            ("x-", characters),
            ("x_", characters),
            ("x.", characters),
            ("a b", characters),
            ("a/b", "namespace is given separately"),
            ("x\n", characters),
            ("é", characters),
            ("a" * 64, "64 characters, at most 63"),
        ):
            error = self.assertRaises(BadName, check_resource_type, name)
            self.assertIn(repr(name), str(error))
            self.assertIn(why, str(error))
            self.assertNotIn("\n", str(error))

    @given(resource_types)
    def test_any_name(self, name: str) -> None:
        """Any name of the allowed characters that starts and ends well is accepted."""
        self.assertEqual(check_resource_type(name), name)


class CheckDeviceIdTests(SynchronousTestCase):
    """`check_device_id` follows the device plugin API."""

    def test_accepted(self) -> None:
        """Printable ASCII without spaces is returned as it is, up to 63 characters."""
        for id_ in ("a", "/dev/x", "0000:3b:00.0", ".a", "a./..b", "!~", "a" * 63):
            self.assertEqual(check_device_id(id_), id_)

    def test_refused(self) -> None:
        """Ids that the kubelet would count but could not use are refused."""
        for id_, why in (
            ("", "at least one"),
            ("a b", "without spaces"),
            ("a\n", "printable"),
            ("a\x7f", "printable"),
            ("ä", "ASCII"),
            ("a" * 64, "64 characters, at most 63"),
            (None, "must be a str"),
            (5, "must be a str"),
            (b"a", "must be a str"),
            (".", "lead elsewhere"),
            ("..", "lead elsewhere"),
            ("...", "lead elsewhere"),
            ("../a", "lead elsewhere"),
            ("a/./b", "lead elsewhere"),
            ("a/..", "lead elsewhere"),
        ):
            error = self.assertRaises(BadName, check_device_id, id_)
            self.assertIn(repr(id_), str(error))
            self.assertIn(why, str(error))
            self.assertNotIn("\n", str(error))


class DigestTests(SynchronousTestCase):
    """`digest` stands for a text."""

    def test_is_the_start_of_sha_256(self) -> None:
        """It is the first eight hex digits of the SHA-256 of the text's bytes."""
        self.assertEqual(digest("abc"), "ba7816bf")

    def test_of_a_name_that_is_not_unicode(self) -> None:
        """A file name's undecodable bytes are digested as they are on disk."""
        name = os.fsdecode(b"\xff\xfe")
        self.assertEqual(digest(name), hashlib.sha256(b"\xff\xfe").hexdigest()[:8])


class DeviceIdTests(SynchronousTestCase):
    """`device_id` makes a device id of any path or text."""

    @given(st.one_of(file_names, file_names.map("/dev/x/{}".format), st.text(min_size=1)))
    def test_is_always_a_device_id(self, text: str) -> None:
        """Whatever a text consists of, the API takes the id, and it is the same each time."""
        try:
            text.encode(errors="surrogateescape")
        except UnicodeEncodeError:
            self.assertRaises(BadName, device_id, text)
            return
        self.assertEqual(check_device_id(device_id(text)), device_id(text))

    @given(st.text(PLAIN, min_size=1, max_size=MAX_DEVICE_ID))
    def test_keeps_plain_texts(self, text: str) -> None:
        """A short text without odd characters is the id itself."""
        assume(text.strip("."))
        self.assertEqual(device_id(text), text)

    @given(file_names, file_names)
    def test_tells_names_apart(self, one: str, other: str) -> None:
        """Two names have two ids."""
        assume(one != other)
        self.assertNotEqual(device_id(one), device_id(other))

    def test_tells_similar_texts_apart(self) -> None:
        """Texts that differ in odd characters, or only far behind, have different ids."""
        for one, other in (
            ("a b", "a\tb"),
            ("a b", "a-b"),
            ("001/004", "001-004"),
            ("/dev/a/b", "/dev/a-b"),
            ("/dev/a/b", "/srv/a/b"),
            ("é", "è"),
            (os.fsdecode(b"\xff"), os.fsdecode(b"\xfe")),
            ("x" * 63, "x" * 64),
            ("x" * 70 + "1", "x" * 70 + "2"),
        ):
            self.assertNotEqual(device_id(one), device_id(other))

    def test_below_dev(self) -> None:
        """A path below /dev is taken relative to it, however it is written."""
        for path in ("/dev/ttyUSB0", "//dev//ttyUSB0", "/dev/./ttyUSB0", Path("/dev/ttyUSB0")):
            self.assertEqual(device_id(path), "ttyUSB0")
        for path in ("/dev/bus/usb/001/004", "bus/usb/001/004"):
            self.assertEqual(device_id(path), f"bus-usb-001-004-{digest('bus/usb/001/004')}")

    def test_other_paths(self) -> None:
        """The id of any other path begins with a letter where the path does."""
        self.assertEqual(device_id("/srv/a"), f"srv-a-{digest('srv/a')}")
        self.assertEqual(device_id("/developer"), "developer")
        for path in ("/", "/dev", "/dev/"):
            check_device_id(device_id(path))
        self.assertEqual(device_id(".."), f"..-{digest('..')}")

    def test_of_odd_texts(self) -> None:
        """Odd characters become hyphens, and a digest of the whole text follows."""
        self.assertEqual(device_id("a b"), f"a-b-{digest('a b')}")
        self.assertEqual(device_id("x" * 64), "x" * 54 + f"-{digest('x' * 64)}")

    def test_no_text(self) -> None:
        """Anything but a text, and an empty one, is refused with its type."""
        bad: Any
        for bad in ("", None, 5, b"x"):
            text = str(self.assertRaises(BadName, device_id, bad))
            self.assertIn(repr(bad), text)


class SocketPathTests(SynchronousTestCase):
    """`socket_path` names the socket of a resource."""

    def test_short(self) -> None:
        """The file is named after the domain and the resource, joined by an underscore."""
        self.assertEqual(
            socket_path("/var/lib/kubelet/device-plugins", "lab.example/Widget_1.x"),
            "/var/lib/kubelet/device-plugins/lab.example_Widget_1.x.sock",
        )

    def test_longest_that_is_kept(self) -> None:
        """A path of exactly 107 bytes is not cut; one more byte and it is."""
        name = "x" * (MAX_SOCKET_PATH - len("/d/a_.sock"))
        self.assertEqual(socket_path("/d", f"a/{name}"), f"/d/a_{name}.sock")
        longer = f"a/{name}x"
        path = socket_path("/d", longer)
        self.assertEqual(len(path), MAX_SOCKET_PATH)
        sha = hashlib.sha256(longer.encode()).hexdigest()[:8]
        self.assertTrue(path.endswith(f"x-{sha}.sock"), path)

    def test_barely_fitting_directory(self) -> None:
        """In the longest directory there is room for little more than the digest."""
        room = MAX_SOCKET_PATH - len("/.tdp-12345678/s")
        resource = "lab.example/" + "x" * 63
        sha = hashlib.sha256(resource.encode()).hexdigest()[:8]
        directory = "/" + "d" * (room - 1)
        self.assertEqual(socket_path(directory, resource), f"{directory}/l-{sha}.sock")

    def test_directory_too_long(self) -> None:
        """A directory in which no socket fits is refused, with the bytes that are too many."""
        room = MAX_SOCKET_PATH - len("/.tdp-12345678/s")
        for excess in (1, 2, 100):
            directory = "/" + "d" * (room - 1 + excess)
            error = self.assertRaises(BadSetting, socket_path, directory, "a.example/x")
            self.assertIn(directory, str(error))
            self.assertIn(f"{excess} bytes too long", str(error))

    def test_counts_bytes(self) -> None:
        """A directory's length counts in bytes, as the kernel counts it."""
        directory = "/" + "ä" * 50
        self.assertRaises(BadSetting, socket_path, directory, "a.example/x")

    @given(directories, domains, resource_types)
    def test_always_fits(self, directory: str, domain: str, name: str) -> None:
        """The path and the one it is bound at fit, and cut names end in the resource's digest."""
        resource = f"{domain}/{name}"
        path = socket_path(directory, resource)
        bound = os.path.join(private_directory(path), "s")
        self.assertLessEqual(len(path.encode()), MAX_SOCKET_PATH)
        self.assertLessEqual(len(bound.encode()), MAX_SOCKET_PATH)
        self.assertEqual(os.path.dirname(path), directory)
        if path != f"{directory}/{domain}_{name}.sock":
            sha = hashlib.sha256(resource.encode()).hexdigest()[:8]
            self.assertTrue(path.endswith(f"{sha}.sock"), path)

    @given(directories, st.lists(st.tuples(domains, resource_types), unique=True, max_size=8))
    def test_resources_do_not_share(self, directory: str, resources: list[tuple[str, str]]) -> None:
        """Distinct resources have distinct sockets and private directories."""
        paths = {socket_path(directory, f"{domain}/{name}") for domain, name in resources}
        self.assertEqual(len(paths), len(resources))
        self.assertEqual(len({private_directory(path) for path in paths}), len(resources))

    def test_underscores_do_not_confuse(self) -> None:
        """Resources whose names contain the separator, or share a long start, have two paths."""
        long = "x" * 62
        names = ["a/b_c", "a/b.c", "a.b/c", f"{'d' * 60}/{long}1", f"{'d' * 60}/{long}2"]
        self.assertEqual(len({socket_path("/p", name) for name in names}), len(names))


class PrivateDirectoryTests(SynchronousTestCase):
    """`private_directory` is where a socket is bound."""

    def test_is_beside_the_socket(self) -> None:
        """It is a hidden directory beside the socket, named by a digest of the file's name."""
        self.assertEqual(private_directory("/d/a_b.sock"), f"/d/.tdp-{digest('a_b.sock')}")


class NaturalKeyTests(SynchronousTestCase):
    """`natural_key` orders names as people do."""

    def test_order(self) -> None:
        """Numbers within names are compared as numbers."""
        names = ["", "2", "10", "loop", "loop2", "loop10", "loop10a2", "loop10a10", "loopx"]
        backwards = names[::-1]
        self.assertEqual(sorted(backwards, key=natural_key), names)

    @given(st.lists(st.text("ab019-", max_size=6), unique=True))
    def test_is_total(self, names: list[str]) -> None:
        """Distinct names never compare equal, so that the order never depends on the input's."""
        backwards = names[::-1]
        self.assertEqual(sorted(names, key=natural_key), sorted(backwards, key=natural_key))
        self.assertEqual(len({natural_key(name) for name in names}), len(names))

    def test_digits_of_other_scripts(self) -> None:
        """Only ASCII digits make numbers; a file name with others beside them is ordered too."""
        self.assertEqual(sorted(["v1²", "v1"], key=natural_key), ["v1", "v1²"])
        self.assertNotEqual(natural_key("v1²"), natural_key("v12"))

    def test_very_long_numbers(self) -> None:
        """A number with more digits than Python converts is ordered too."""
        self.assertNotEqual(natural_key("1" * 5000), natural_key("1" * 5001))
