"""Server-side apply: on the fake API server and on a real one."""

from typing import Any

from twisted.trial.unittest import TestCase

from tests.support.apicontract import ApiContract, OnFake, OnReal, config_map, daemon_set

Object = dict[str, Any]


def owners(obj: Object) -> list[tuple[str, str, str]]:
    """The managers of an object's fields, how they write, and to which subresource."""
    return [
        (entry["manager"], entry["operation"], entry.get("subresource", ""))
        for entry in obj["metadata"]["managedFields"]
    ]


def owned(obj: Object, manager: str) -> Object:
    """The fields that a manager has applied."""
    for entry in obj["metadata"]["managedFields"]:
        if (entry["manager"], entry["operation"]) == (manager, "Apply"):
            assert entry["fieldsType"] == "FieldsV1"
            fields: Object = entry["fieldsV1"]
            return fields
    raise AssertionError(f"{manager} owns nothing")


class ApplyContract(ApiContract):
    """What every API server makes of what is applied."""

    async def test_creates(self) -> None:
        """What is not there is created; applied again, it is left alone."""
        await self.ready()
        path = f"{self.maps}/a"
        made = self.good(await self.client.apply(path, config_map("a", key="1")), 201)
        self.assertEqual(owners(made), [("one", "Apply", "")])
        self.assertEqual(owned(made, "one"), {"f:data": {"f:key": {}}})
        again = self.good(await self.client.apply(path, config_map("a", key="1")))
        self.assertEqual(again, made)
        dry = await self.client.apply(path, config_map("a", key="2"), dryRun="All")
        self.assertEqual(self.good(dry)["data"], {"key": "2"})
        self.assertEqual(self.good(await self.client.get(path)), made)

    async def test_yaml(self) -> None:
        """The body may be YAML."""
        await self.ready()
        text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: '2001-01-01'}\n"
        reply = await self.client.ask(
            "PATCH", f"{self.maps}/a?fieldManager=one", text, "application/apply-patch+yaml"
        )
        self.assertEqual(self.good(reply, 201)["data"], {"key": "2001-01-01"})

    async def test_removes(self) -> None:
        """What a manager no longer applies disappears, unless another one owns it."""
        await self.ready()
        path = f"{self.maps}/a"
        await self.client.apply(path, config_map("a", one="1", both="1", old="1"))
        await self.client.apply(path, config_map("a", two="2", both="1"), "two")
        left = self.good(await self.client.apply(path, config_map("a", one="1")))
        self.assertEqual(left["data"], {"one": "1", "two": "2", "both": "1"})
        left = self.good(await self.client.apply(path, config_map("a", two="2"), "two"))
        self.assertEqual(left["data"], {"one": "1", "two": "2"})
        left = self.good(await self.client.apply(path, config_map("a"), "two"))
        self.assertEqual(left["data"], {"one": "1"})
        self.assertEqual(owners(left), [("one", "Apply", "")])

    async def test_empty(self) -> None:
        """Empty lists and maps are left out; to apply them again changes nothing."""
        await self.ready()
        obj = daemon_set("a", labels={}, annotations={})
        spec = obj["spec"]["template"]["spec"]
        spec |= {"nodeSelector": {}, "tolerations": [], "volumes": [{"name": "v", "emptyDir": {}}]}
        spec["containers"][0] |= {"args": [], "env": []}
        made = self.good(await self.client.apply(f"{self.daemons}/a", obj), 201)
        self.assertEqual(self.good(await self.client.apply(f"{self.daemons}/a", obj)), made)
        spec = made["spec"]["template"]["spec"]
        self.assertFalse({"nodeSelector", "tolerations"} & set(spec))
        self.assertFalse({"args", "env"} & set(spec["containers"][0]))
        self.assertEqual(spec["volumes"], [{"name": "v", "emptyDir": {}}])
        self.assertNotIn("labels", made["metadata"])

    async def test_conflict(self) -> None:
        """Another manager's value is not changed, unless by force."""
        await self.ready()
        path = f"{self.maps}/a"
        first = self.good(await self.client.apply(path, config_map("a", key="1", k2="1")), 201)
        status = self.refused(
            await self.client.apply(path, config_map("a", key="2"), "two"), 409, "Conflict"
        )
        self.assertEqual(
            status["message"], 'Apply failed with 1 conflict: conflict with "one": .data.key'
        )
        self.assertEqual(
            status["details"]["causes"],
            [
                {
                    "reason": "FieldManagerConflict",
                    "message": 'conflict with "one"',
                    "field": ".data.key",
                }
            ],
        )
        status = self.refused(
            await self.client.apply(path, config_map("a", key="2", k2="2"), "two"), 409, "Conflict"
        )
        self.assertEqual(
            status["message"],
            'Apply failed with 2 conflicts: conflicts with "one":\n- .data.k2\n- .data.key',
        )
        self.assertEqual(self.good(await self.client.get(path)), first)
        new = self.good(
            await self.client.apply(path, config_map("a", key="2"), "two", force="true")
        )
        self.assertEqual(new["data"], {"key": "2", "k2": "1"})
        self.assertEqual(owned(new, "one"), {"f:data": {"f:k2": {}}})
        # It lost the field: what it no longer applies is not removed.
        await self.client.apply(path, config_map("a", k2="1"))
        new = self.good(await self.client.get(path))
        self.assertEqual(new["data"], {"key": "2", "k2": "1"})

    async def test_shared(self) -> None:
        """Two managers may own the same value, and then neither can change it alone."""
        await self.ready()
        path = f"{self.maps}/a"
        await self.client.apply(path, config_map("a", key="1"))
        both = self.good(await self.client.apply(path, config_map("a", key="1"), "two"))
        self.assertEqual(sorted(owners(both)), [("one", "Apply", ""), ("two", "Apply", "")])
        self.refused(await self.client.apply(path, config_map("a", key="2")), 409, "Conflict")

    async def test_updates_own_too(self) -> None:
        """An update takes what it changes; to apply another value then needs force."""
        await self.ready()
        path = f"{self.maps}/a"
        await self.client.apply(path, config_map("a", key="1", other="1"))
        new = self.good(await self.client.patch(path, {"data": {"key": "2"}}, fieldManager="ed"))
        self.assertEqual(owners(new), [("one", "Apply", ""), ("ed", "Update", "")])
        self.assertEqual(owned(new, "one"), {"f:data": {"f:other": {}}})
        status = self.refused(
            await self.client.apply(path, config_map("a", key="1", other="1")), 409, "Conflict"
        )
        self.assertIn('conflict with "ed" using v1', status["message"])
        new = self.good(
            await self.client.apply(path, config_map("a", key="1", other="1"), force="true")
        )
        self.assertEqual(new["data"], {"key": "1", "other": "1"})
        self.assertEqual(owners(new), [("one", "Apply", "")])

    async def test_created_then_applied(self) -> None:
        """What somebody has created counts as applied by a change of the managed fields."""
        await self.ready()
        path = f"{self.daemons}/a"
        marked = daemon_set("a", annotations={"mark": "1"})
        created = self.good(await self.client.create(self.daemons, marked, fieldManager="one"), 201)
        self.assertEqual(owners(created), [("one", "Update", "")])
        entry = "/metadata/managedFields/0"
        test = {"op": "test", "path": f"{entry}/manager", "value": "one"}
        change = {"op": "replace", "path": f"{entry}/operation", "value": "Apply"}
        found = self.good(await self.client.patch(path, [test, change], "json", fieldManager="x"))
        self.assertEqual(owners(found), [("one", "Apply", "")])
        again = self.good(await self.client.apply(path, marked))
        self.assertEqual(owners(again), [("one", "Apply", "")])
        self.assertEqual((again["metadata"]["generation"], again["spec"]), (1, created["spec"]))
        left = self.good(await self.client.apply(path, daemon_set("a")))
        self.assertNotIn("mark", left["metadata"].get("annotations", {}))
        wrong = {**test, "value": "two"}
        self.refused(await self.client.patch(path, [wrong, change], "json"), 422, "Invalid")

    async def test_written_over(self) -> None:
        """An update takes the fields that it changes, and those that are gone are nobody's."""
        await self.ready()
        path = f"{self.maps}/a"
        await self.client.apply(path, config_map("a", same="1", changed="1", gone="1"))
        for data, theirs in (
            ({"same": "1", "changed": "2", "new": "2"}, {"f:changed", "f:new"}),
            ({"same": "1", "changed": "2", "new": "3"}, {"f:changed", "f:new"}),
            ({"same": "1", "new": "3"}, {"f:new"}),
        ):
            found = self.good(await self.client.get(path))
            wanted = {**found, "data": data}
            new = self.good(await self.client.update(path, wanted, fieldManager="two"))
            self.assertEqual(owners(new), [("one", "Apply", ""), ("two", "Update", "")])
            self.assertEqual(owned(new, "one"), {"f:data": {"f:same": {}}})
            entry = next(e for e in new["metadata"]["managedFields"] if e["manager"] == "two")
            # The real one names the mapping as well where the whole of it is the writer's.
            self.assertEqual(entry["fieldsV1"]["f:data"].keys() - {"."}, theirs)
        again = self.good(await self.client.update(path, new, fieldManager="two"))
        self.assertEqual(again, new)

    async def test_no_owners(self) -> None:
        """Somebody may have all owners forgotten."""
        await self.ready()
        path = f"{self.maps}/a"
        await self.client.apply(path, config_map("a", key="1"))
        patch = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
        found = self.good(await self.client.patch(path, patch, "json"))
        self.assertNotIn("managedFields", found["metadata"])
        self.assertEqual(found["data"], {"key": "1"})

    async def test_keyed_lists(self) -> None:
        """Containers, their variables and ports are merged by key."""
        await self.ready()
        path = f"{self.daemons}/a"
        first = daemon_set("a")
        container = first["spec"]["template"]["spec"]["containers"][0]
        container["env"] = [{"name": "ONE", "value": "1"}, {"name": "TWO", "value": "2"}]
        container["ports"] = [{"name": "web", "containerPort": 80}]
        made = self.good(await self.client.apply(path, first), 201)
        fields = owned(made, "one")["f:spec"]["f:template"]["f:spec"]["f:containers"]
        mine = fields['k:{"name":"plugin"}']
        self.assertEqual(mine["f:env"]['k:{"name":"ONE"}'], {".": {}, "f:name": {}, "f:value": {}})
        self.assertEqual(
            mine["f:ports"],
            {
                'k:{"containerPort":80,"protocol":"TCP"}': {
                    ".": {},
                    "f:containerPort": {},
                    "f:name": {},
                }
            },
        )
        other: Object = {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "a"},
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {"name": "plugin", "env": [{"name": "THREE", "value": "3"}]},
                            {"name": "sidecar", "image": "example.com/sidecar:1"},
                        ]
                    }
                }
            },
        }
        new = self.good(await self.client.apply(path, other, "two"))
        spec = new["spec"]["template"]["spec"]
        self.assertEqual([each["name"] for each in spec["containers"]], ["plugin", "sidecar"])
        self.assertEqual(
            [each["name"] for each in spec["containers"][0]["env"]], ["ONE", "TWO", "THREE"]
        )
        del container["env"][0]
        new = self.good(await self.client.apply(path, first))
        spec = new["spec"]["template"]["spec"]
        self.assertEqual([each["name"] for each in spec["containers"][0]["env"]], ["TWO", "THREE"])
        other["spec"]["template"]["spec"]["containers"] = []
        new = self.good(await self.client.apply(path, other, "two"))
        spec = new["spec"]["template"]["spec"]
        self.assertEqual([each["name"] for each in spec["containers"]], ["plugin"])
        self.assertEqual([each["name"] for each in spec["containers"][0]["env"]], ["TWO"])

    async def test_order(self) -> None:
        """Items have the order of who applied last, and the others stay in between."""
        await self.ready()
        for number, (first, second, expected) in enumerate(
            (
                ("ab", "ba", "ba"),
                ("ab", "xy", "abxy"),
                ("ab", "ca", "cab"),
                ("ab", "cb", "acb"),
                ("abc", "cxa", "bcxa"),
                ("abc", "xbya", "xbcya"),
                ("abcd", "dxc", "abdxc"),
                ("abcd", "bxd", "abcxd"),
                ("abcde", "ec", "abdec"),
            )
        ):
            obj = daemon_set(f"a{number}")
            for manager, names in (("one", first), ("two", second)):
                containers = [{"name": name, "image": "x"} for name in names]
                obj["spec"]["template"]["spec"]["containers"] = containers
                reply = await self.client.apply(f"{self.daemons}/a{number}", obj, manager)
            found = reply.body["spec"]["template"]["spec"]["containers"]
            self.assertEqual("".join(each["name"] for each in found), expected, (first, second))

    async def test_atomic(self) -> None:
        """Arguments and tolerations have one owner, and are replaced as a whole."""
        await self.ready()
        path = f"{self.daemons}/a"
        first = daemon_set("a")
        spec = first["spec"]["template"]["spec"]
        spec["containers"][0]["args"] = ["one", "two"]
        spec["tolerations"] = [{"operator": "Exists"}]
        spec["nodeSelector"] = {"one": "1"}
        self.good(await self.client.apply(path, first), 201)
        spec["containers"][0]["args"] = ["three"]
        spec["tolerations"] = [{"key": "a", "operator": "Exists"}]
        spec["nodeSelector"] = {"two": "2"}
        status = self.refused(await self.client.apply(path, first, "two"), 409, "Conflict")
        self.assertEqual(
            {each["field"] for each in status["details"]["causes"]},
            {
                '.spec.template.spec.containers[name="plugin"].args',
                ".spec.template.spec.tolerations",
                ".spec.template.spec.nodeSelector",
            },
        )
        new = self.good(await self.client.apply(path, first))
        spec = new["spec"]["template"]["spec"]
        self.assertEqual(spec["containers"][0]["args"], ["three"])
        self.assertEqual(spec["tolerations"], [{"key": "a", "operator": "Exists"}])
        self.assertEqual(spec["nodeSelector"], {"two": "2"})

    async def test_finalizers(self) -> None:
        """Finalizers are a set, and owner references are known by their uid."""
        await self.ready()
        path = f"{self.maps}/a"
        for manager in ("one", "two"):
            obj = config_map("a")
            obj["metadata"]["finalizers"] = [f"example.com/{manager}"]
            await self.client.apply(path, obj, manager)
        new = self.good(await self.client.get(path))
        self.assertEqual(
            sorted(new["metadata"]["finalizers"]), ["example.com/one", "example.com/two"]
        )
        new = self.good(await self.client.apply(path, config_map("a"), "one"))
        self.assertEqual(new["metadata"]["finalizers"], ["example.com/two"])
        await self.client.apply(path, config_map("a"), "two")
        owner = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u1"}
        obj = config_map("b")
        obj["metadata"]["ownerReferences"] = [owner]
        await self.client.apply(f"{self.maps}/b", obj)
        obj["metadata"]["ownerReferences"] = [{**owner, "uid": "u2"}]
        new = self.good(await self.client.apply(f"{self.maps}/b", obj, "two"))
        self.assertEqual([each["uid"] for each in new["metadata"]["ownerReferences"]], ["u1", "u2"])

    async def test_generation(self) -> None:
        """To apply counts as a generation where the spec changes."""
        await self.ready()
        path = f"{self.daemons}/a"
        for image, labels, expected in (("a", "1", 1), ("a", "2", 1), ("b", "2", 2)):
            obj = daemon_set("a", f"example.com/{image}", labels={"l": labels})
            reply = await self.client.apply(path, obj)
            self.assertEqual(reply.body["metadata"]["generation"], expected)

    async def test_status(self) -> None:
        """The status is applied through its subresource, where it has owners of its own."""
        await self.ready()
        path = f"{self.daemons}/a"
        obj = {**daemon_set("a"), "status": {"numberReady": 5}}
        made = self.good(await self.client.apply(path, obj), 201)
        self.assertEqual(made["status"]["numberReady"], 0)
        self.assertNotIn("f:status", owned(made, "one"))
        status = {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "a"},
            "status": {
                "numberReady": 5,
                "desiredNumberScheduled": 5,
                "currentNumberScheduled": 5,
                "numberMisscheduled": 0,
            },
        }
        new = self.good(await self.client.apply(f"{path}/status", status, "two"))
        self.assertEqual(new["status"]["numberReady"], 5)
        self.assertEqual(owners(new), [("one", "Apply", ""), ("two", "Apply", "status")])
        new = self.good(await self.client.apply(path, daemon_set("a")))
        self.assertEqual(new["status"]["numberReady"], 5)
        self.refused(
            await self.client.apply(f"{self.daemons}/none/status", {**status, "metadata": {}}),
            404,
            "NotFound",
        )

    async def test_other_object(self) -> None:
        """What is applied to an object with a uid is applied to no other one."""
        await self.ready()
        obj = config_map("a", key="1")
        obj["metadata"]["uid"] = "11111111-1111-1111-1111-111111111111"
        self.refused(await self.client.apply(f"{self.maps}/a", obj), 409, "Conflict", "uid")
        self.refused(await self.client.get(f"{self.maps}/a"), 404, "NotFound")
        # Of a version, it is created all the same.
        versioned = config_map("c")
        versioned["metadata"]["resourceVersion"] = "7"
        self.good(await self.client.apply(f"{self.maps}/c", versioned), 201)
        await self.made(self.maps, config_map("a"))
        status = self.refused(await self.client.apply(f"{self.maps}/a", obj), 422, "Invalid")
        self.assertEqual(status["details"]["causes"][0]["field"], "metadata.uid")
        stale = config_map("a", key="1")
        stale["metadata"]["resourceVersion"] = "1"
        self.refused(
            await self.client.apply(f"{self.maps}/a", stale),
            409,
            "Conflict",
            "the object has been modified",
        )

    async def test_bad_requests(self) -> None:
        """To apply needs a manager, and no managed fields."""
        await self.ready()
        path = f"{self.maps}/a"
        status = self.refused(
            await self.client.patch(path, config_map("a"), "apply"), 422, "Invalid", "fieldManager"
        )
        self.assertEqual(status["details"]["causes"][0]["reason"], "FieldValueRequired")
        obj = config_map("a")
        obj["metadata"]["managedFields"] = [{"manager": "x"}]
        self.refused(await self.client.apply(path, obj), 400, "BadRequest", "managedFields must be")
        self.refused(
            await self.client.apply(path, config_map("b")),
            400,
            "BadRequest",
            "the name of the object (b) does not match the name on the URL (a)",
        )


class FakeApplyTests(OnFake, ApplyContract, TestCase):
    """The contract, tested on the fake server."""


class RealApplyTests(OnReal, ApplyContract, TestCase):
    """The contract, tested on a real server."""
