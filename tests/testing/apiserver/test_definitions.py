"""CustomResourceDefinitions and their kinds: on the fake API server and on a real one."""

from typing import Any

from twisted.trial.unittest import TestCase

from tests.support.apicontract import ApiContract, OnFake, OnReal
from tests.support.helpers import PATIENCE, soon

Object = dict[str, Any]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
INTEGER, STRING = {"type": "integer"}, {"type": "string"}


def keyed(*properties: str) -> Object:
    """The schema of a list of objects with a name, which is a map by that."""
    return {
        "type": "array",
        "maxItems": 3,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": STRING,
                **{name: {"type": "integer", "default": 7} for name in properties},
            },
        },
    }


SPEC: Object = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5},
        "inner": {
            "type": "object",
            "default": {},
            "properties": {"deep": {"type": "integer", "default": 4}},
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "parts": keyed("count"),
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": STRING},
        "words": {"type": "array", "items": STRING},
        "percent": {"x-kubernetes-int-or-string": True},
        "labels": {"type": "object", "additionalProperties": STRING},
        "nothing": {"type": "string", "nullable": True},
        "more": {"type": "object", "additionalProperties": True, "minProperties": 1},
        "few": {"type": "array", "items": INTEGER, "minItems": 2},
        "ratio": {"type": "number"},
        "choice": {
            "type": "object",
            "properties": {"one": INTEGER, "two": INTEGER, "both": INTEGER},
            "oneOf": [{"required": ["one"]}, {"required": ["two"]}],
            "anyOf": [{"required": ["one"]}, {"required": ["two"]}, {"required": ["both"]}],
            "allOf": [{"properties": {"one": {"minimum": 3}}}],
            "not": {"required": ["both"]},
        },
    },
}
SCHEMA: Object = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": SPEC,
        "status": {"type": "object", "properties": {"count": INTEGER, "parts": keyed("count")}},
    },
}


def mistyped(field: str, wanted: str, found: str) -> str:
    """The cause of a refusal for a value of another type."""
    return f'{field}: Invalid value: "{found}": {field} in body must be of type {wanted}: "{found}"'


def junctor(text: str) -> str:
    """The cause of a refusal by schemas that are joined."""
    return f'<nil>: Invalid value: "": "spec.choice" must {text}'


class DefinitionContract(ApiContract):
    """What every API server makes of a definition."""

    async def define(self, scope: str = "Cluster") -> str:
        """Define widgets in a group of the test's own; return the path of their collection."""
        await self.ready()
        self.group = f"{self.name}.example.com"
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{self.group}"},
            "spec": {
                "group": self.group,
                "scope": scope,
                "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": SCHEMA},
                        "subresources": {"status": {}},
                    },
                    {
                        "name": "v1beta1",
                        "served": True,
                        "storage": False,
                        "schema": {"openAPIV3Schema": SCHEMA},
                        "subresources": {"status": {}},
                    },
                ],
            },
        }
        made = await self.made(DEFINITIONS, definition)
        await self.event(
            DEFINITIONS,
            made,
            lambda obj: any(
                (each["type"], each["status"]) == ("Established", "True")
                for each in obj["status"].get("conditions") or ()
            ),
        )
        inside = f"namespaces/{self.name}/" if scope == "Namespaced" else ""
        path = f"/apis/{self.group}/v1/{inside}widgets"
        # It is served a moment after it is established.
        while (await self.client.get(path)).code != 200:
            pass
        return path

    async def event(self, path: str, obj: Object, is_it: Any) -> tuple[str, Object]:
        """Wait until an object has changed in some way, or is gone."""
        name = obj["metadata"]["name"]
        watch = await self.watch(path, fieldSelector=f"metadata.name={name}")

        def found(calls: list[Any]) -> list[Any]:
            return [each for each in calls if each["type"] == "DELETED" or is_it(each["object"])]

        await watch.events.until(lambda calls: bool(found(calls)))
        event = found(watch.events.calls)[0]
        return event["type"], event["object"]

    def widget(self, called: str = "a", **spec: Any) -> Object:
        """A widget."""
        return {
            "apiVersion": f"{self.group}/v1",
            "kind": "Widget",
            "metadata": {"name": called},
            "spec": {"size": 1, **spec},
        }

    async def test_defined(self) -> None:
        """A definition makes its kind known, and discovery names it."""
        path = await self.define()
        self.assertEqual((await self.client.get(path)).body["kind"], "WidgetList")
        found = self.good(await self.client.get(f"/apis/{self.group}/v1"))
        self.assertEqual(
            {
                resource["name"]: (resource["kind"], resource["namespaced"])
                for resource in found["resources"]
            },
            {"widgets": ("Widget", False), "widgets/status": ("Widget", False)},
        )
        self.assertEqual(found["resources"][0]["shortNames"], ["wd"])
        self.assertEqual(found["resources"][0]["singularName"], "widget")
        groups = self.good(await self.client.get("/apis"))["groups"]
        self.assertIn(self.group, [group["name"] for group in groups])
        obj = self.good(await self.client.get(f"{DEFINITIONS}/widgets.{self.group}"))
        self.assertEqual(
            obj["status"]["acceptedNames"],
            {
                "plural": "widgets",
                "singular": "widget",
                "kind": "Widget",
                "listKind": "WidgetList",
                "shortNames": ["wd"],
            },
        )

    async def test_bad_definition(self) -> None:
        """A definition without names and versions is refused."""
        await self.ready()
        definition: Object = {"apiVersion": "apiextensions.k8s.io/v1", "metadata": {"name": "a.b"}}
        definition |= {"kind": "CustomResourceDefinition", "spec": {}}
        status = self.refused(await self.client.create(DEFINITIONS, definition), 422, "Invalid")
        self.assertLessEqual(
            {"metadata.name", "spec.group", "spec.scope", "spec.versions", "spec.names.plural"},
            {each["field"] for each in status["details"]["causes"]},
        )

    async def test_changed(self) -> None:
        """A definition that changes makes fields known; watches end with it."""
        path = await self.define()
        name = f"{DEFINITIONS}/widgets.{self.group}"
        field = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/extra"
        patch = [{"op": "add", "path": field, "value": INTEGER}]
        self.good(await self.client.patch(name, patch, "json"))

        async def is_known(number: int) -> bool:
            reply = await self.client.create(path, self.widget(f"w{number}", extra=1))
            if reply.code == 503:
                return False  # a real one closes what it had of the former definition
            return "extra" in self.good(reply, 201)["spec"]

        number = 0
        while not await is_known(number):
            number += 1
        watch = await self.watch(path)
        self.good(await self.client.delete(name))
        await soon(watch.ended)

    async def test_completed(self) -> None:
        """Unknown fields are dropped, and defaults filled in."""
        path = await self.define()
        sent = self.widget(
            unknown=1, free={"x": {"y": 1}}, parts=[{"name": "q", "junk": 1}], color=None,
            nothing=None, more={"any": {"thing": 1}}, ratio=1, choice={"two": 1},
        )  # fmt: skip
        made = await self.made(path, {**sent, "more": 1, "status": {"count": 1}})
        self.assertEqual(
            made["spec"],
            {
                "size": 1,
                "color": "red",
                "inner": {"deep": 4},
                "free": {"x": {"y": 1}},
                "parts": [{"name": "q", "count": 7}],
                "nothing": None,
                "more": {"any": {}},
                "ratio": 1,
                "choice": {"two": 1},
            },
        )
        self.assertEqual(set(made), {"apiVersion", "kind", "metadata", "spec"})
        self.assertEqual(made["metadata"]["generation"], 1)
        reply = await self.client.get(path)
        self.assertEqual(reply.body["items"][0]["kind"], "Widget")
        older = self.good(await self.client.get(path.replace("/v1/", "/v1beta1/") + "/a"))
        self.assertEqual(older["apiVersion"], f"{self.group}/v1beta1")
        self.assertEqual(older["spec"], made["spec"])

    async def test_refused(self) -> None:
        """What the schema does not allow is refused, with every cause."""
        path = await self.define()
        for spec, expected in (
            (
                {"size": "x", "words": ["a", 2], "percent": True, "labels": {"a": 1}},
                {
                    mistyped("spec.size", "integer", "string"),
                    mistyped("spec.words[1]", "string", "integer"),
                    mistyped("spec.percent", "integer,string", "boolean"),
                    mistyped("spec.labels.a", "string", "integer"),
                },
            ),
            (
                {"size": 0, "name": "a", "color": "green"},
                {
                    "spec.size: Invalid value: 0: spec.size in body should be greater than or "
                    "equal to 1",
                    'spec.name: Invalid value: "a": spec.name in body should be at least 2 chars '
                    "long",
                    'spec.color: Unsupported value: "green": supported values: "red", "blue"',
                },
            ),
            (
                {"size": 10, "name": "abcdefg", "parts": [{"name": "a"}, {"name": "a"}]},
                {
                    "spec.size: Invalid value: 10: spec.size in body should be less than or equal "
                    "to 9",
                    "spec.name: Too long: may not be more than 5 bytes",
                    'spec.parts[1]: Duplicate value: {"name":"a"}',
                },
            ),
            (
                {"name": "AB", "tags": ["x", "x"], "parts": [{"name": n} for n in "abcd"]},
                {
                    "spec.name: Invalid value: \"AB\": spec.name in body should match '^[a-z]+$'",
                    'spec.tags[1]: Duplicate value: "x"',
                    "spec.parts: Too many: 4: must have at most 3 items",
                },
            ),
            ({"parts": [{}]}, {"spec.parts[0].name: Required value"}),
            (
                {"choice": {"one": 3, "two": 1}},
                {junctor("validate one and only one schema (oneOf). Found 2 valid alternatives")},
            ),
            (
                {"choice": {"one": 1, "both": 1}, "ratio": "x"},
                {
                    junctor("validate all the schemas (allOf). None validated"),
                    junctor("not validate the schema (not)"),
                    "spec.choice.one: Invalid value: 1: spec.choice.one in body should be greater "
                    "than or equal to 3",
                    mistyped("spec.ratio", "number", "string"),
                },
            ),
            (
                {"choice": {}},
                {
                    junctor("validate at least one schema (anyOf)"),
                    junctor("validate one and only one schema (oneOf). Found none valid"),
                    "spec.choice.one: Required value",
                },
            ),
            (
                {"more": {}, "few": [1]},
                {
                    "spec.more: Invalid value: 0: spec.more in body should have at least 1 "
                    "properties",
                    "spec.few: Invalid value: 1: spec.few in body should have at least 2 items",
                },
            ),
            (
                {"nothing": 1, "color": 5},
                {
                    mistyped("spec.nothing", "string", "integer"),
                    mistyped("spec.color", "string", "integer"),
                    'spec.color: Unsupported value: 5: supported values: "red", "blue"',
                },
            ),
        ):
            reply = await self.client.create(path, self.widget(**spec))
            status = self.refused(reply, 422, "Invalid", f'Widget.{self.group} "a" is invalid: ')
            self.assertEqual(
                {f"{each['field']}: {each['message']}" for each in status["details"]["causes"]},
                expected,
            )
        reply = await self.client.create(path, {**self.widget(), "spec": None})
        self.refused(reply, 422, "Invalid")
        reply = await self.client.create(path, {"metadata": {"name": "a"}})
        self.refused(reply, 400, "BadRequest", "Object 'Kind' is missing")

    async def test_update(self) -> None:
        """An update needs a version; the status is separate, and labels are not in it."""
        path = await self.define()
        made = await self.made(path, self.widget())
        reply = await self.client.update(f"{path}/a", self.widget(size=2))
        self.refused(
            reply, 422, "Invalid", "metadata.resourceVersion: Invalid value: 0: must be specified"
        )
        made["spec"]["size"] = 2
        new = self.good(await self.client.update(f"{path}/a", {**made, "status": {"count": 1}}))
        self.assertEqual((new["metadata"]["generation"], "status" in new), (2, False))
        patch = {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"size": 3},
            "status": {"count": 1, "junk": 2},
        }
        new = self.good(await self.client.patch(f"{path}/a/status", patch))
        self.assertEqual((new["spec"]["size"], new["status"]), (2, {"count": 1}))
        self.assertEqual((new["metadata"]["generation"], "labels" in new["metadata"]), (2, False))
        new = self.good(await self.client.patch(f"{path}/a", {"metadata": {"labels": {"a": "b"}}}))
        self.assertEqual((new["metadata"]["generation"], new["status"]), (2, {"count": 1}))
        reply = await self.client.patch(f"{path}/a", {}, "strategic")
        self.refused(reply, 415, "UnsupportedMediaType", "accepted media types include")

    async def test_apply(self) -> None:
        """What is applied is merged as the schema says, and must be declared there."""
        path = await self.define()
        obj = self.widget(parts=[{"name": "a"}], tags=["x"], words=["one"])
        made = self.good(await self.client.apply(f"{path}/a", obj), 201)
        self.assertEqual(made["spec"]["parts"], [{"name": "a", "count": 7}])
        self.assertEqual(
            made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"],
            {
                "f:size": {},
                "f:parts": {'k:{"name":"a"}': {".": {}, "f:name": {}}},
                "f:tags": {'v:"x"': {}},
                "f:words": {},
            },
        )
        again = self.good(await self.client.apply(f"{path}/a", obj))
        self.assertEqual(again, made)
        other = self.widget(parts=[{"name": "b", "count": 1}], tags=["y"])
        del other["spec"]["size"]
        new = self.good(await self.client.apply(f"{path}/a", other, "two"))
        self.assertEqual([part["name"] for part in new["spec"]["parts"]], ["a", "b"])
        self.assertEqual(new["spec"]["tags"], ["x", "y"])
        new = self.good(await self.client.apply(f"{path}/a", self.widget()))
        self.assertEqual(new["spec"]["parts"], [{"name": "b", "count": 1}])
        self.assertEqual(new["spec"]["tags"], ["y"])
        self.assertNotIn("words", new["spec"])
        for spec, text in (
            ({"unknown": 1}, ".spec.unknown: field not declared in schema"),
            (
                {"parts": [{"name": "a"}, {"name": "a"}]},
                '.spec.parts: duplicate entries for key [name="a"]',
            ),
        ):
            reply = await self.client.apply(f"{path}/a", self.widget(**spec))
            about = f"failed to create typed patch object (/a; {self.group}/v1, Kind=Widget): "
            self.refused(reply, 500, "", about + text)

    async def test_apply_status(self) -> None:
        """A status is applied; what is not in it any more is removed."""
        path = await self.define()
        await self.made(path, self.widget())
        obj = self.widget(size=5)
        obj["status"] = {"count": 1, "parts": [{"name": "a"}]}
        new = self.good(await self.client.apply(f"{path}/a/status", obj))
        self.assertEqual(
            (new["spec"]["size"], new["status"]),
            (1, {"count": 1, "parts": [{"name": "a", "count": 7}]}),
        )
        [entry] = [each for each in new["metadata"]["managedFields"] if "subresource" in each]
        self.assertEqual((entry["manager"], entry["subresource"]), ("one", "status"))
        self.assertEqual(set(entry["fieldsV1"]), {"f:status"})
        del obj["spec"]
        obj["status"] = {"parts": [{"name": "b", "count": 2}]}
        new = self.good(await self.client.apply(f"{path}/a/status", obj))
        self.assertEqual(new["status"], {"parts": [{"name": "b", "count": 2}]})
        self.assertEqual(new["metadata"]["generation"], 1)

    async def test_delete(self) -> None:
        """With a definition its objects go; those with finalizers keep it."""
        path = await self.define("Namespaced")
        await self.made(path, self.widget("a"))
        kept = self.widget("b")
        kept["metadata"]["finalizers"] = ["example.com/kept"]
        await self.made(path, kept)
        name = f"{DEFINITIONS}/widgets.{self.group}"
        definition = self.good(await self.client.delete(name))
        self.assertIn("deletionTimestamp", definition["metadata"])
        self.assertEqual(
            definition["metadata"]["finalizers"], ["customresourcecleanup.apiextensions.k8s.io"]
        )
        await self.event(path, kept, lambda obj: "deletionTimestamp" in obj["metadata"])
        self.refused(await self.client.get(f"{path}/a"), 404, "NotFound")
        self.good(await self.client.get(name))
        self.good(await self.client.patch(f"{path}/b", {"metadata": {"finalizers": None}}))
        await self.gone(name)
        while (await self.client.get(path)).code != 404:
            pass

    async def gone(self, path: str) -> None:
        """Wait until an object is gone."""
        collection, _, name = path.rpartition("/")
        reply = await self.client.get(path)
        if reply.code == 200:
            watch = await self.watch(
                collection,
                fieldSelector=f"metadata.name={name}",
                resourceVersion=reply.version,
                timeoutSeconds=str(int(PATIENCE)),
            )
            await watch.events.until(lambda calls: any(e["type"] == "DELETED" for e in calls))


class FakeDefinitionTests(OnFake, DefinitionContract, TestCase):
    """The contract, tested on the fake server."""


class RealDefinitionTests(OnReal, DefinitionContract, TestCase):
    """The contract, tested on a real server."""
