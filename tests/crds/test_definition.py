"""The definition has the form that Kubernetes asks for, and what is made of it is up to date."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.scripts import script
from twistdp.catalog import Shelf
from twistdp.crds import crd, read, resource_names, samples

OPEN = "x-kubernetes-preserve-unknown-fields"
render = script("render")


def parts(schema: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema in a schema, with its place."""
    yield place, schema
    for name, inner in schema.get("properties", {}).items():
        yield from parts(inner, f"{place}.{name}")
    for form in ("items", "additionalProperties"):
        if isinstance(schema.get(form), Mapping):
            yield from parts(schema[form], f"{place}.{form}")


class DefinitionTests(SynchronousTestCase):
    """The CustomResourceDefinition is structural, described and bounded."""

    def setUp(self) -> None:
        (version,) = crd()["spec"]["versions"]
        self.version = version
        self.schema = version["schema"]["openAPIV3Schema"]

    def test_names(self) -> None:
        """The names are those that people use, and there is a status but no scale."""
        names = crd()["spec"]["names"]
        self.assertEqual((["dplug"], ["twistdp"]), (names["shortNames"], names["categories"]))
        self.assertEqual("Cluster", crd()["spec"]["scope"])
        self.assertEqual({"status": {}}, self.version["subresources"])
        columns = [
            (each["name"], each.get("priority", 0))
            for each in self.version["additionalPrinterColumns"]
        ]
        self.assertEqual(
            ["Desired", "Ready", "Devices", "Unhealthy", "Available", "Age"],
            [name for name, priority in columns if not priority],
        )
        self.assertEqual(["Image", "Reason"], [name for name, priority in columns if priority])

    def test_types(self) -> None:
        """Every part has a type, but for those that Kubernetes lets have none."""
        for place, part in parts(self.schema):
            with self.subTest(place=place):
                if "type" not in part:
                    self.assertTrue(part.get("x-kubernetes-int-or-string") or part.get(OPEN))

    def test_described(self) -> None:
        """Every key says what it means."""
        for place, part in parts(self.schema):
            for name, inner in part.get("properties", {}).items():
                if (place, name) != ("", "metadata"):
                    self.assertTrue(inner.get("description"), f"{place}.{name}")

    def test_bounded(self) -> None:
        """Texts, lists and mappings have limits, without which rules could not be paid for."""
        limits = {"string": "maxLength", "array": "maxItems", "object": "maxProperties"}
        for place, part in parts(self.schema["properties"]["spec"]):
            kind = part.get("type", "")
            is_bounded = {"enum", "properties", OPEN} & part.keys()
            if kind in limits and not is_bounded:
                self.assertIn(limits[kind], part, place)

    def test_open_where_forms_differ(self) -> None:
        """Nothing in a configuration is pruned, so that the model can name what is misspelt."""
        config = self.schema["properties"]["spec"]["properties"]["config"]
        self.assertIs(True, config[OPEN])
        self.assertIs(True, config["properties"]["resources"]["additionalProperties"][OPEN])

    def test_defaults(self) -> None:
        """The defaults are the model's."""
        spec = read({"metadata": {"name": "a"}, "spec": {"catalog": [{"name": "intel-npu"}]}}).spec
        found = self.schema["properties"]["spec"]["properties"]
        defaults = {name: each["default"] for name, each in found.items() if "default" in each}
        self.assertEqual(spec.priority_class, defaults["priorityClassName"])
        self.assertEqual(spec.hook_timeout, defaults["hookTimeoutSeconds"])
        self.assertEqual(spec.log_level, defaults["logLevel"])
        self.assertEqual(spec.check_paths, defaults["checkPaths"])
        self.assertNotIn("domain", defaults)

    def test_size(self) -> None:
        """It fits into the annotation that ``kubectl apply`` makes of it."""
        self.assertLess(len(str(crd())), 200_000)


class SampleTests(SynchronousTestCase):
    """There is an object to begin with for everything."""

    def test_samples(self) -> None:
        """Each entry of the catalogue has a sample that can be used."""
        found = samples()
        self.assertEqual({*Shelf().entries, "config", "scanner"}, set(found))
        for name, sample in found.items():
            with self.subTest(name=name):
                self.assertEqual(name, read(sample).name)

    def test_apart(self) -> None:
        """No two samples serve the same resource, so that all of them can be tried at once."""
        found = [read(sample) for sample in samples().values()]
        names = [name for each in found for name in resource_names(each) or ()]
        self.assertEqual(sorted(set(names)), sorted(names))

    def test_files(self) -> None:
        """The definition, the samples and the page are up to date, and no file is left over."""
        for path, text in render.operator_files().items():
            self.assertEqual(text, path.read_text("utf-8"), f"{path}: run 'make generate'")
        directory = render.ROOT / "deploy" / "operator" / "samples"
        self.assertEqual(
            {*(f"{name}.yaml" for name in samples()), "kustomization.yaml"},
            {each.name for each in directory.iterdir()},
        )

    def test_command(self) -> None:
        """The command prints both."""
        (definition,) = yaml.safe_load_all(render.printed("crds"))
        self.assertEqual(crd(), definition)
        printed = list(yaml.safe_load_all(render.printed("crds", "--samples")))
        self.assertEqual(list(samples().values()), printed)
