"""Objects of the API become values, or problems with a place, a fact and a remedy."""

import json
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.crds.cases import KVM
from tests.crds.objects import an_object
from twistdp.crds import BadObject, read
from twistdp.crds.limits import MOST_RESOURCES, MOST_VALUES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


class ReadTests(SynchronousTestCase):
    """`read` returns what an object says, with the defaults."""

    def test_whole(self):
        """What stands in metadata is kept, and what is left out has its default."""
        plugin = read(
            {
                "metadata": {
                    "name": "gpus",
                    "uid": "1-2",
                    "generation": 7,
                    "annotations": {"twistdp.io/paused": "true"},
                    "finalizers": ["twistdp.io/extended-resources"],
                    "deletionTimestamp": "2026-11-27T12:00:00Z",
                },
                "spec": {"catalog": [{"name": "intel-gpu", "replicas": 4}]},
                "status": {"anything": 1},
            }
        )
        self.assertEqual(("gpus", "1-2", 7), (plugin.name, plugin.uid, plugin.generation))
        self.assertTrue(plugin.paused and plugin.deleting)
        self.assertEqual(("twistdp.io/extended-resources",), plugin.finalizers)
        self.assertEqual(4, plugin.spec.catalog[0].replicas)
        self.assertEqual("system-node-critical", plugin.spec.priority_class)
        self.assertEqual(600, plugin.spec.update_strategy.progress_deadline)
        self.assertIsNone(plugin.raw_config)

    def test_config_is_that_of_files(self):
        """A configuration is checked as a file is, entries of the catalogue included."""
        config = {"domain": "lab.example.com", "resources": {"gpu": {"use": "intel-gpu"}}}
        plugin = read(an_object(config=config))
        assert plugin.spec.config is not None
        self.assertEqual("drm", plugin.spec.config.resources["gpu"].as_)
        self.assertEqual(config, plugin.raw_config)

    def test_texts_need_quotes(self):
        """A number in place of a text is refused: YAML reads 0403 as 259."""
        config = {"domain": "a.example", "resources": {"tty": {"match": {"serial": 259}}}}
        self.assertEqual(
            ("spec.config.resources.tty.match.serial: expected a text, found '259'; "
             "write it in quotes",),
            self.problems(an_object(config=config)),
        )  # fmt: skip

    def test_limits(self):
        """Sizes that the definition limits are limited here as well, one by one."""
        npu: dict[str, Any] = {"catalog": [{"name": "intel-npu"}]}
        many = {f"a{number}": "b" for number in range(33)}
        for spec, problem in (
            ({"catalog": []}, "spec.catalog: there is nothing in it; leave the key out"),
            ({**npu, "image": ""}, "spec.image: the text is empty"),
            (
                {**npu, "image": "a" * 513},
                "spec.image: it has 513 characters, at most 512 are accepted",
            ),
            (
                {**npu, "tolerations": [{"key": "a"}] * 33},
                "spec.tolerations: it has 33 items, at most 32 are accepted",
            ),
            (
                {**npu, "nodeSelector": many},
                "spec.nodeSelector: it has 33 keys, at most 32 are accepted",
            ),
        ):
            self.assertEqual((problem,), self.problems(an_object(**spec)))
        many.popitem()
        read(an_object(**npu, image="a" * 512, tolerations=[{"key": "a"}] * 32, nodeSelector=many))
        missing = "spec: it is missing; say in it which devices there are, as by catalog"
        self.assertEqual((missing,), self.problems({"metadata": {"name": "a"}}))

    def test_all_problems(self):
        """Every problem is reported, each at its place."""
        found = self.problems(
            {
                "metadata": {"name": "GPUs"},
                "spec": {
                    "catalog": [{"name": "intel-gpus"}],
                    "updateStrategy": {"maxSurge": 1, "maxUnavailable": 1, "type": "Surge"},
                    "monitoring": {},
                    "logLevels": 3,
                },
            }
        )
        places = [each.partition(": ")[0] for each in found]
        self.assertEqual(
            [
                "metadata",
                "spec.catalog[0].name",
                "spec.updateStrategy.maxUnavailable",
                "spec.logLevels",
            ],
            places,
        )
        self.assertIn("did you mean intel-gpu?", found[1])
        self.assertIn("did you mean 'logLevel'?", found[3])

    def test_twice(self):
        """Two entries with a resource of one name are refused, as the plugin would refuse them."""
        items = [{"name": "intel-dsa"}, {"name": "intel-dsa-vfio"}, {"name": "intel-dsa"}]
        self.assertIn("'intel-dsa' is there twice", self.problems(an_object(catalog=items))[0])

    def test_no_object(self):
        """What is no object at all is refused in the same form."""
        odd: Any
        for odd in ({}, {"metadata": None}, [], None, {"metadata": {"name": "a"}, "spec": []}):
            self.assertRaises(BadObject, read, odd)

    def test_too_large(self):
        """A configuration that fits into no ConfigMap is refused."""
        resources = {
            f"kvm{n}": {"path": "/dev/kvm", "annotations": {"a": "x" * 9000}} for n in range(120)
        }
        found = self.problems(an_object(config={"domain": "a.example", "resources": resources}))
        self.assertRegex(found[0], r"spec\.config: it has \d+ bytes, and a ConfigMap 1048576")

    def test_too_many(self) -> None:
        """More resources than a kubelet ever has are refused before each of them is looked at."""
        resources = {f"r{number}": f"/dev/r{number}" for number in range(MOST_RESOURCES)}
        read(an_object(config={"domain": "a.example", "resources": resources}))
        resources["more"] = "/dev/more"
        self.assertEqual(
            (
                f"spec.config.resources: it has {MOST_RESOURCES + 1} keys, at most "
                f"{MOST_RESOURCES} are accepted; make several DevicePlugins of it",
            ),
            self.problems(an_object(config={"domain": "a.example", "resources": resources})),
        )

    def test_too_much(self) -> None:
        """So is a spec with more in it than somebody writes, at whatever depth."""
        # The spec, config, domain, resources, r and path are values, too.
        paths = [f"/dev/r{number}" for number in range(MOST_VALUES - 6)]
        config = {"domain": "a.example", "resources": {"r": {"path": paths}}}
        read(an_object(config=config))
        paths.append("/dev/more")
        (problem,) = self.problems(an_object(config=config))
        self.assertIn(f"there are more than {MOST_VALUES} values; leave some out", problem)

    def test_much(self) -> None:
        """What takes longest to read, within the limits, holds the operator for a moment only."""
        matches = [{"usb": f"{number:04x}:0001"} for number in range(MOST_VALUES // 2 - 5)]
        config = {"domain": "a.example", "resources": {"r": {"match": matches}}}
        start = time.process_time()
        read(an_object(config=config))
        self.assertLess(time.process_time() - start, 5)

    def test_lists(self) -> None:
        """A single value stands for a list in a configuration, as in files, but nowhere else."""
        self.assertEqual(
            ("spec.tolerations: expected a list, found a mapping",),
            self.problems(an_object(**KVM, tolerations={"operator": "Exists"})),
        )
        read(an_object(config={"domain": "a.b", "resources": {"a": {"subsystem": "tty"}}}))

    def test_newer(self) -> None:
        """Keys of a newer definition are left alone; those of a configuration are misspelt."""
        newer = an_object(
            **KVM,
            level=1,
            http={"pods": True, "tls": {"on": True}},
            tolerations=[{"key": "a", "b": 1}],
        )
        self.assertEqual(3, len(self.problems(newer)))
        newer["metadata"]["uid"] = "1-2"
        spec = read(newer).spec
        assert spec.http is not None and spec.tolerations is not None
        self.assertEqual((True, "a"), (spec.http.pods, spec.tolerations[0].label))
        odd = an_object(
            config={"domain": "a.b", "resources": {"a": {"paths": "/dev/a"}}, "exclude": 1}
        )
        odd["metadata"]["uid"] = "1-2"
        self.assertEqual(
            ["spec.config.resources.a.paths", "spec.config.exclude"],
            [each.partition(": ")[0] for each in self.problems(odd)],
        )

    def test_kubelet_directory(self) -> None:
        """The kubelet's directory leaves room for sockets in it."""
        read(an_object(**KVM, kubeletDirectory=f"/{'k' * 74}"))
        for odd in ("k" * 75, "\u00e9" * 50):
            (problem,) = self.problems(an_object(**KVM, kubeletDirectory=f"/{odd}"))
            self.assertTrue(problem.startswith("spec.kubeletDirectory: "), problem)

    def test_quantity(self) -> None:
        """A fraction needs quotes, since the API has whole numbers and texts only."""
        self.assertEqual(
            (
                "spec.resources.requests.cpu: expected a quantity, as 100m or 64Mi, found '0.5'; "
                "write it in quotes",
            ),
            self.problems(an_object(**KVM, resources={"requests": {"cpu": 0.5}})),
        )

    def test_no_text(self) -> None:
        """What no file could say is refused at its place."""
        deep: Any = "/dev/kvm"
        for _ in range(40):
            deep = {"any": [deep]}
        for odd, words in (
            (deep, "more than 32 lists and mappings"),
            ({"path": "\ud800"}, "half of a character"),
            ({"\ud800": ""}, "half of a character"),
            ({"replicas": 1 << 70, "path": "/dev/kvm"}, "a number of more than 64 bits"),
            ({"path": ["/dev/kvm"] * 100_001}, f"more than {MOST_VALUES} values"),
            ({"path": {1, 2}}, "found 'a set'"),
            ({"path": None}, "found nothing"),
        ):
            with self.subTest(words=words):
                (problem,) = self.problems(
                    an_object(config={"domain": "a.example", "resources": {"a": odd}})
                )
                self.assertTrue(problem.startswith("spec.config.resources.a"), problem)
                self.assertIn(words, problem)

    def problems(self, found: Any) -> tuple[str, ...]:
        """The problems of an object."""
        error: BadObject = self.assertRaises(BadObject, read, found)
        return error.problems


class FuzzTests(SynchronousTestCase):
    """Whatever JSON an object is, it is read or refused."""

    @given(JSON, JSON, JSON)
    def test_any(self, whole, metadata, spec):
        """Arbitrary JSON in place of the object, or of its parts."""
        named = {"name": "gpus", "uid": "1-2"}
        for found in (
            whole,
            {"metadata": metadata, "spec": spec},
            {"metadata": named, "spec": spec},
        ):
            self.reads(found)

    def reads(self, found: Any) -> None:
        """The object is read or refused, with every problem in one line that can be written."""
        try:
            read(found)
        except BadObject as error:
            for problem in error.problems:
                self.assertTrue(problem.isprintable(), problem)
                json.dumps(problem).encode()
