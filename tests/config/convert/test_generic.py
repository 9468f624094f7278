"""Tests for `twistdp.config.convert.generic`, with the cases of that tool's README."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support import conversions

TOOL = "generic-device-plugin"


def resources(text: str) -> dict[str, Any]:
    """The resources of a file whose devices are this text."""
    return conversions.resources(TOOL, f"domain: x.example.com\ndevices:\n{text}")


def notes(text: str) -> list[str]:
    """What is reported about such a file."""
    return conversions.notes(TOOL, f"domain: x.example.com\ndevices:\n{text}")


def problems(text: str) -> list[str]:
    """Why such a file is refused."""
    return conversions.problems(TOOL, f"domain: x.example.com\ndevices:\n{text}")


def found(text: str, where: str) -> dict[str, dict[str, list[str]]]:
    """The nodes of each device on one of the trees."""
    return conversions.found(TOOL, f"domain: x.example.com\ndevices:\n{text}", where)


SERIAL = """
  - name: serial
    groups:
      - paths: [{path: "/dev/ttyUSB*"}]
      - paths: [{path: "/dev/ttyACM*"}]
      - paths: [{path: "/dev/rfcomm*"}]
"""
CAPTURE = """
  - name: capture
    groups:
      - paths: [{path: /dev/snd/controlC0}, {path: /dev/snd/pcmC0D0c}]
      - paths:
          - {path: /dev/snd/controlC1, mountPath: /dev/snd/controlC0}
          - {path: /dev/snd/pcmC1D0c, mountPath: /dev/snd/pcmC0D0c}
"""
CH340 = '  - {name: ch340, groups: [{usb: [{vendor: "1a86", product: "7523"}]}]}\n'
FUSE = "  - {name: fuse, groups: [{count: 10, paths: [{path: /dev/fuse}]}]}\n"
OPTIONAL = """
  - name: gpu
    groups:
      - paths:
          - {path: /dev/kvm}
          - {path: /dev/vfio/vfio, permissions: rw}
          - {path: /dev/kfd, optional: true}
"""
DIRECTORY = "  - {name: dri, groups: [{paths: [{path: /dev/dri}]}]}\n"


class ReadmeTests(SynchronousTestCase):
    """The cases of the tool's README."""

    def test_serial(self) -> None:
        """Groups of one path each are one list of paths, and each port a device."""
        self.assertEqual(
            resources(SERIAL), {"serial": ["/dev/ttyUSB*", "/dev/ttyACM*", "/dev/rfcomm*"]}
        )
        self.assertEqual(notes(SERIAL), [])
        (devices,) = found(SERIAL, "twins").values()
        places = [node.rpartition(" as ")[2] for (node,) in devices.values()]
        self.assertEqual(places, ["/dev/ttyUSB0", "/dev/ttyUSB1"])

    def test_capture(self) -> None:
        """Groups of like paths are cards, of which containers get the same nodes."""
        self.assertEqual(
            resources(CAPTURE),
            {
                "capture": {
                    "path": ["/dev/snd/controlC0", "/dev/snd/controlC1"],
                    "node": {"containerPath": "/dev/snd/controlC0"},
                    "members": [
                        {
                            "kernelName": ["pcmC0D0c", "pcmC1D0c"],
                            "node": {"containerPath": "/dev/snd/pcmC0D0c"},
                        }
                    ],
                }
            },
        )
        (note,) = notes(CAPTURE)
        self.assertIn("are those of the hardware that its first node belongs to", note)
        ((nodes,),) = (list(each.values()) for each in found(CAPTURE, "camera").values())
        self.assertEqual(
            [node.rpartition(" as ")[2] for node in nodes],
            ["/dev/snd/controlC0", "/dev/snd/pcmC0D0c"],
        )

    def test_capture_of_a_board(self) -> None:
        """So do the cards of a board, which are on no bus that has ids: each has its own nodes."""
        (devices,) = found(CAPTURE, "board").values()
        self.assertEqual(
            list(devices.values()),
            [
                ["/dev/snd/controlC0", "/dev/snd/pcmC0D0c"],
                [
                    "/dev/snd/controlC1 as /dev/snd/controlC0",
                    "/dev/snd/pcmC1D0c as /dev/snd/pcmC0D0c",
                ],
            ],
        )

    def test_usb(self) -> None:
        """A USB id gives the raw node of each stick, and the report says what changes."""
        self.assertEqual(
            resources(CH340),
            {"ch340": {"usb": "1a86:7523", "as": "usb", "node": {"permissions": "rw"}}},
        )
        (devices,) = found(CH340, "twins").values()
        self.assertEqual(len(devices), 2)
        one, raw = notes(CH340)
        self.assertIn("makes one device of all USB devices that a group matches", one)
        self.assertIn("here each is one; write group: all to have one", one)
        self.assertIn("does not open as a serial port", raw)
        self.assertIn("write as: tty", raw)

    def test_count(self) -> None:
        """A count is the number of replicas."""
        self.assertEqual(resources(FUSE), {"fuse": {"path": "/dev/fuse", "replicas": 10}})
        (note,) = notes(FUSE)
        self.assertIn("asks for more than one replica of a device is refused", note)
        kvm = FUSE.replace("/dev/fuse", "/dev/kvm")
        self.assertEqual(
            found(kvm, "cards"), {"fuse": {f"kvm-{number}": ["/dev/kvm"] for number in range(10)}}
        )

    def test_optional(self) -> None:
        """Optional paths are optional members."""
        self.assertEqual(
            resources(OPTIONAL),
            {
                "gpu": {
                    "path": "/dev/kvm",
                    "members": [
                        {"path": "/dev/vfio/vfio", "node": {"permissions": "rw"}},
                        {"path": "/dev/kfd", "optional": True},
                    ],
                }
            },
        )
        self.assertEqual(found(OPTIONAL, "cards"), {"gpu": {"kvm": ["/dev/kvm", "/dev/vfio/vfio"]}})

    def test_directory(self) -> None:
        """A directory is one device with all nodes in it."""
        self.assertEqual(resources(DIRECTORY), {"dri": {"path": "/dev/dri", "group": "all"}})
        (note,) = notes(DIRECTORY)
        self.assertIn("/dev/dri is a directory: a container gets the nodes that are in it", note)
        (devices,) = found(DIRECTORY, "cards").values()
        self.assertEqual(
            [[node.rpartition(" as ")[2] for node in each] for each in devices.values()],
            [["/dev/dri/card1", "/dev/dri/renderD128"]],
        )


class PathTests(SynchronousTestCase):
    """Paths and what stands beside them."""

    def test_places(self) -> None:
        """A place that ends in a slash is a directory."""
        text = "  - {name: kvm, groups: [{paths: [{path: /dev/kvm, mountPath: %s}]}]}"
        for place, expected in (
            ("/dev/virt", "/dev/virt"),
            ("/dev/virt/", "/dev/virt/kvm"),
            ("/dev/", "/dev/kvm"),
            ('"/dev/{x}"', "/dev/{{x}}"),
        ):
            node = resources(text % place)["kvm"]["node"]
            self.assertEqual(node, {"containerPath": expected}, place)
        globbed = "  - {name: t, groups: [{paths: [{path: /dev/ttyUSB*, mountPath: /dev/}]}]}"
        self.assertEqual(resources(globbed)["t"]["node"], {"containerPath": "/dev/{kernelName}"})
        (devices,) = found(globbed, "twins").values()
        self.assertEqual(
            [node.rpartition(" as ")[2] for (node,) in devices.values()],
            ["/dev/ttyUSB0", "/dev/ttyUSB1"],
        )

    def test_mounts(self) -> None:
        """Paths of the type Mount are mounts; a glob among them is reported."""
        text = """
  - name: fw
    groups:
      - paths:
          - {path: /opt/fw, type: Mount, mountPath: /fw, readOnly: true}
          - {path: /opt/more, type: Mount, optional: true}
          - {path: "/opt/x*", type: Mount}
          - {path: /dev/kvm}
"""
        self.assertEqual(
            resources(text)["fw"],
            {
                "path": "/dev/kvm",
                "mounts": [
                    {"hostPath": "/opt/fw", "containerPath": "/fw", "readOnly": True},
                    {"hostPath": "/opt/more", "optional": True},
                ],
            },
        )
        (note,) = notes(text)
        self.assertIn("f.yaml:9:13:", note)
        self.assertIn("the mount of /opt/x* is not carried over", note)

    def test_mounts_alone(self) -> None:
        """A resource of mounts alone is reported, and refused if nothing else is left."""
        text = "  - {name: fw, groups: [{paths: [{path: /opt/fw, type: Mount}]}]}\n"
        (problem,) = problems(text)
        self.assertIn("a group of mounts alone is not carried over", problem)
        self.assertEqual(list(resources(text + FUSE)), ["fuse"])
        self.assertIn("a group of mounts alone is not carried over", " ".join(notes(text + FUSE)))

    def test_limit(self) -> None:
        """A path that pairs with several matches of another one limits them."""
        text = """
  - name: pair
    groups: [{paths: [{path: "/dev/ttyUSB*"}, {path: /dev/fuse, limit: 3}]}]
"""
        self.assertEqual(
            resources(text)["pair"],
            {"path": "/dev/ttyUSB*", "members": ["/dev/fuse"], "limit": 3},
        )
        self.assertIn("at most 3 of /dev/ttyUSB* are listed", notes(text)[0])
        self.assertEqual(resources(text.replace(", limit: 3", ""))["pair"]["limit"], 1)
        mounted = text.replace("/dev/fuse", "/opt/fw, type: Mount")
        self.assertEqual(resources(mounted)["pair"]["limit"], 3, "mounts are paired likewise")
        alone = "  - {name: x, groups: [{paths: [{path: /dev/fuse, limit: 10}]}]}"
        self.assertEqual(resources(alone), {"x": "/dev/fuse"})
        self.assertIn("limit has no effect", notes(alone)[0])

    def test_limit_reported(self) -> None:
        """A limit that cannot be carried over is reported with what it does."""
        text = "  - {name: x, groups: [{paths: [{path: %s}, {path: %s}]}]}"
        for one, two, part in (
            ('"/dev/ttyUSB*"', "/dev/a, optional: true", "while /dev/a is there, generic-device"),
            ("/dev/b, limit: 9", '"/dev/a*", optional: true', "a device of each match of /dev/a*"),
            ('"/dev/video*"', '"/dev/media*", limit: 9', "same hardware, whatever their limit"),
            ('"/dev/video*", limit: 9', '"/dev/media*"', "same hardware, whatever their limit"),
        ):
            said = " ".join(notes(text % (one, two)))
            self.assertIn(part, said)
            self.assertNotIn("limit has no effect", said)

    def test_globs(self) -> None:
        """What a glob means in Go alone is reported: directories, brackets, the names of links."""
        text = '  - {name: x, groups: [{paths: [{path: "%s", mountPath: /dev/}]}]}'
        for path, part in (
            ("/dev/dvb/adapter*", "may match directories, as /dev/dvb/adapter0"),
            ("/dev/video[!0]", "takes ! in brackets as a character"),
            ("/dev/serial/by-id/*", "places in /dev by their own names"),
        ):
            self.assertIn(part, " ".join(notes(text % path)))
        self.assertEqual(notes(text % "/dev/video[^0]*"), [])

    def test_slash(self) -> None:
        """What ends in a slash is a directory, whatever its name."""
        text = "  - {name: x, groups: [{paths: [{path: /dev/mine/}]}]}"
        self.assertEqual(resources(text)["x"], {"path": "/dev/mine", "group": "all"})

    def test_limits_of_groups(self) -> None:
        """Each group of a resource has devices up to its own limit."""
        text = """
  - name: x
    groups:
      - paths: [{path: "/dev/ttyUSB*"}, {path: /dev/fuse}]
      - paths: [{path: "/dev/ttyACM*"}, {path: /dev/fuse, limit: 2}]
      - paths: [{path: "/dev/ttyS*"}]
"""
        ours = resources(text)
        self.assertEqual(ours["x"]["limit"], 3)
        self.assertIn("are one here: 3 devices of all together", " ".join(notes(text)))
        self.assertEqual(ours["x-2"], "/dev/ttyS*")

    def test_smallest_limit(self) -> None:
        """The smallest limit counts, and not that of an optional path."""
        text = """
  - name: x
    groups:
      - paths:
          - {path: /dev/a, limit: 3}
          - {path: /dev/b, limit: 2}
          - {path: /dev/c, optional: true}
          - {path: "/dev/ttyUSB*"}
"""
        ours = resources(text)["x"]
        self.assertEqual((ours["path"], ours["limit"]), ("/dev/ttyUSB*", 2))

    def test_first_path(self) -> None:
        """The path that a device is named after is one whose absence is noticed."""
        text = "  - {name: x, groups: [{paths: [{path: /dev/dri}, {path: /dev/kvm}]}]}"
        self.assertEqual(resources(text)["x"], {"path": "/dev/kvm", "members": ["/dev/dri"]})

    def test_pairs(self) -> None:
        """Two globs are paired by hardware, not by their order."""
        text = """
  - name: pair
    groups: [{paths: [{path: "/dev/video*"}, {path: "/dev/media*"}]}]
"""
        self.assertEqual(
            resources(text)["pair"],
            {"path": "/dev/video*", "members": [{"kernelName": "media*"}]},
        )
        (note,) = notes(text)
        self.assertIn("pairs the matches of /dev/video* and /dev/media* by their order", note)
        self.assertIn("paired if they are of the same hardware", note)

    def test_optional_alone(self) -> None:
        """Mounts alone make no device, whatever becomes of the only path with a node."""
        text = """
  - name: x
    groups:
      - paths: [{path: /dev/a, optional: true}, {path: /opt, type: Mount}]
"""
        said = " ".join(notes(text))
        self.assertIn("/dev/a is optional, and without it there is no device here", said)

    def test_all_optional(self) -> None:
        """A device of optional paths alone is there with the first of them."""
        text = """
  - name: x
    groups:
      - paths: [{path: /dev/kvm, optional: true}, {path: /dev/absent, optional: true}]
"""
        self.assertEqual(
            resources(text)["x"], {"path": ["/dev/kvm", "/dev/absent"], "group": "all"}
        )
        self.assertEqual(found(text, "cards"), {"x": {"x": ["/dev/kvm"]}})

    def test_counts(self) -> None:
        """Groups of one resource may have a count each, if they are one and one other."""
        text = """
  - name: x
    groups:
      - {count: 4, paths: [{path: /dev/kvm}]}
      - paths: [{path: /dev/vfio/vfio}]
"""
        self.assertEqual(
            resources(text)["x"],
            {
                "path": ["/dev/kvm", "/dev/vfio/vfio"],
                "replicas": {"count": 4, "match": [{"path": "/dev/kvm"}]},
            },
        )
        self.assertEqual(
            list(found(text, "cards")["x"]), ["kvm-0", "kvm-1", "kvm-2", "kvm-3", "vfio_vfio"]
        )

    def test_unlike_groups(self) -> None:
        """Groups that one resource cannot have are two, and the report says so."""
        text = """
  - name: x
    groups:
      - paths: [{path: /dev/kvm, permissions: r}]
      - paths: [{path: /dev/fuse}]
      - paths: [{path: /dev/net/tun}]
"""
        self.assertEqual(
            resources(text),
            {
                "x": {"path": "/dev/kvm", "node": {"permissions": "r"}},
                "x-2": ["/dev/fuse", "/dev/net/tun"],
            },
        )
        (note,) = notes(text)
        self.assertIn("devices[0].groups[1].paths: it differs from the groups before it", note)
        self.assertIn("it is the resource x-2: change the pods that need it", note)

    def test_other_unlike_groups(self) -> None:
        """So are groups with two counts, with other mounts, and with links as further nodes."""
        for one, two in (
            ("count: 2, paths: [{path: /dev/a}]", "count: 3, paths: [{path: /dev/b}]"),
            (
                "paths: [{path: /dev/a}, {path: /x, type: Mount}]",
                "paths: [{path: /dev/b}, {path: /y, type: Mount}]",
            ),
            (
                "paths: [{path: /dev/a}, {path: /dev/serial/by-id/a}]",
                "paths: [{path: /dev/b}, {path: /dev/serial/by-id/b}]",
            ),
            ("paths: [{path: /dev/a}]", "usb: [{vendor: 1a86, product: ea60}]"),
        ):
            text = f"  - {{name: x, groups: [{{{one}}}, {{{two}}}]}}"
            self.assertEqual(list(resources(text)), ["x", "x-2"], text)


class UsbTests(SynchronousTestCase):
    """USB devices."""

    def test_digits(self) -> None:
        """Digits are hexadecimal as written; what the tool makes of them without quotes is said."""
        text = "  - {name: x, groups: [{usb: [{vendor: 1209, product: 000a}]}]}"
        self.assertEqual(resources(text)["x"]["usb"], "1209:000a")
        (trap,) = (note for note in notes(text) if "decimal" in note)
        self.assertIn("f.yaml:3:40: devices[0].groups[0].usb[0].vendor:", trap)
        self.assertIn("reads 1209 without quotes as the decimal number that is 04b9", trap)
        self.assertIn("here it is 1209, as it is written", trap)

    def test_digits_without_a_trap(self) -> None:
        """Quotes, letters and numbers that are the same either way are as they are."""
        for vendor, product in (('"1209"', '"0001"'), ("1a86", "ea60"), ('"0403"', "0001")):
            text = f"  - {{name: x, groups: [{{usb: [{{vendor: {vendor}, product: {product}}}]}}]}}"
            self.assertEqual([note for note in notes(text) if "number" in note], [])

    def test_octal(self) -> None:
        """A leading zero makes an octal number, of whose digits arguments make another one."""
        text = "{name: x, groups: [{usb: [{vendor: 0403, product: 6001}]}]}"
        (trap,) = (note for note in notes(f"  - {text}") if "octal" in note)
        self.assertIn("octal number that is 0103 in hexadecimal; here it is 0403", trap)
        said = conversions.notes(TOOL, f"args: [--device, '{text}']")
        (trap,) = (note for note in said if "octal" in note)
        self.assertIn("octal number that is 259, and this as hexadecimal; here it is 0403", trap)
        self.assertIn("was 0259 meant?", trap)

    def test_other_numbers(self) -> None:
        """YAML has other numbers too that look like ids."""
        text = "{name: x, groups: [{usb: [{vendor: %s, product: abcd}]}]}"
        for vendor, ours, part in (
            ("04e8", "04e8", "a number with an exponent that is 17d78400 in hexadecimal"),
            ("0b10", "0b10", "the binary number that is 0002 in hexadecimal"),
            ("0b05", "0b05", ""),
            ("0810", "0810", "the decimal number that is 032a in hexadecimal"),
            ("0x0403", "0403", ""),
        ):
            self.assertEqual(resources(f"  - {text % vendor}")["x"]["usb"], f"{ours}:abcd")
            (*trap,) = (note for note in notes(f"  - {text % vendor}") if "number" in note)
            self.assertEqual([part in note for note in trap], [True] * bool(part), trap)
        said = conversions.notes(TOOL, f"args: [--device, '{text % '0x0403'}']")
        self.assertIn(
            "the number that is 1027, and this as hexadecimal; here it is 0403", " ".join(said)
        )

    def test_several(self) -> None:
        """Several in one group are one device, as the tool has it; in groups they are several."""
        one = """
  - name: x
    groups: [{usb: [{vendor: 1a6e, product: 089a}, {vendor: 18d1, product: "9302"}]}]
"""
        two = """
  - name: x
    groups:
      - usb: [{vendor: 1a6e, product: 089a}]
      - usb: [{vendor: 18d1, product: "9302"}]
"""
        usb = ["1a6e:089a", "18d1:9302"]
        said = {"usb": usb, "as": "usb", "node": {"permissions": "rw"}}
        self.assertEqual(resources(one)["x"], {**said, "group": "all"})
        self.assertEqual(resources(two)["x"], said)
        self.assertIn("so it is here (group: all); leave group out to have one each", notes(one)[0])

    def test_serials(self) -> None:
        """Serial numbers are exact."""
        text = """
  - name: x
    groups:
      - usb: [{vendor: 0483, product: "5740", serial: "A*1"}]
      - usb: [{vendor: 0483, product: "5740"}]
"""
        self.assertEqual(
            resources(text)["x"]["match"],
            [{"usb": "0483:5740", "serial": "A[*]1"}, {"usb": "0483:5740"}],
        )


class RefusalTests(SynchronousTestCase):
    """Files of a wrong shape."""

    def test_all_at_once(self) -> None:
        """A mapping in place of a list is reported with its remedy, and what is in it as well."""
        text = """
  - name: tun
    groups: [{paths: [{path: /dev/net/tun}]}]
  - name: stick
    groups:
      usb:
        vendor: "10c4"
        product: "ea60"
  - groups:
      - {}
      - {paths: [{}], count: many}
      - {paths: [], usb: []}
  - name: Bad Name
    groups: [{paths: [{path: ttyUSB0}]}]
"""
        self.assertEqual(
            problems(text),
            [
                "f.yaml:7:5: devices[1].groups: expected a list of groups, found a mapping; put "
                "`- ` before usb",
                "f.yaml:8:7: devices[1].groups.usb: expected a list, found a mapping; put `- ` "
                "before vendor",
                "f.yaml:11:5: devices[2]: the key 'name' is missing: the resource's name",
                "f.yaml:12:9: devices[2].groups[0]: a group needs paths or usb; give one of them",
                "f.yaml:13:18: devices[2].groups[1].paths[0]: the key 'path' is missing: a path "
                "or glob",
                "f.yaml:13:30: devices[2].groups[1].count: expected a whole number, found 'many'",
                "f.yaml:14:9: devices[2].groups[2]: a group has paths or usb, and "
                "generic-device-plugin does not start with both; make two groups",
                "f.yaml:15:5: devices[3]: x.example.com/Bad Name: resource 'Bad Name': a "
                "resource's name consists of letters, digits, '-', '_' and '.', and starts and "
                "ends with a letter or digit; the namespace is given separately",
                "f.yaml:15:5: devices[3]: x.example.com/Bad Name: path 'ttyUSB0': give an "
                "absolute path or glob, as /dev/ttyUSB*",
            ],
        )

    def test_twice(self) -> None:
        """Two devices of one name are a problem."""
        (problem,) = problems(FUSE + FUSE)
        self.assertIn("x.example.com/fuse is there already, from line 3", problem)

    def test_ids(self) -> None:
        """An id that is none is refused."""
        (problem,) = problems("  - {name: x, groups: [{usb: [{vendor: xyz, product: '1'}]}]}")
        self.assertIn("vendor 'xyz': expected up to four hexadecimal digits", problem)

    def test_unknown_key(self) -> None:
        """A misspelt key, which the tool ignores, is reported with what was meant."""
        text = "  - {name: x, groups: [{paths: [{path: /dev/kvm, permisions: r}]}]}"
        (note,) = notes(text)
        self.assertIn("ignores the unknown key 'permisions', and so it is here", note)
        self.assertIn("did you mean 'permissions'?", note)
