"""Create, get, update, patch: on the fake API server and on a real one."""

from typing import Any

from twisted.trial.unittest import TestCase

from tests.support.apicontract import ApiContract, OnFake, OnReal, config_map, daemon_set


def of(obj: dict[str, Any], *names: str) -> list[Any]:
    """Some of an object's metadata."""
    return [obj["metadata"].get(name) for name in names]


class WriteContract(ApiContract):
    """What every API server does with objects."""

    async def test_create(self) -> None:
        """A new object gets what identifies it; one of the same name is refused."""
        await self.ready()
        made = await self.made(self.maps, config_map("a", key="value"))
        self.assertEqual(of(made, "name", "namespace", "generation"), ["a", self.name, None])
        self.assertRegex(made["metadata"]["uid"], r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertRegex(
            made["metadata"]["creationTimestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"
        )
        self.assertGreater(int(made["metadata"]["resourceVersion"]), 0)
        self.assertEqual((made["kind"], made["apiVersion"]), ("ConfigMap", "v1"))
        self.assertEqual(self.good(await self.client.get(f"{self.maps}/a")), made)
        status = self.refused(
            await self.client.create(self.maps, config_map("a")), 409, "AlreadyExists"
        )
        self.assertEqual(status["message"], 'configmaps "a" already exists')
        self.assertEqual(status["details"], {"name": "a", "kind": "configmaps"})

    async def test_not_found(self) -> None:
        """What is not there is not found, with the name of the resource."""
        await self.ready()
        status = self.refused(await self.client.get(f"{self.daemons}/x"), 404, "NotFound")
        self.assertEqual(status["message"], 'daemonsets.apps "x" not found')
        self.assertEqual(status["details"], {"name": "x", "group": "apps", "kind": "daemonsets"})
        for method, path in (
            ("DELETE", f"{self.maps}/x"),
            ("GET", "/api/v1/nonsense"),
            ("GET", f"{self.maps}/x/status"),
        ):
            self.refused(await self.client.ask(method, path), 404, "NotFound")
        for way, patch in (("merge", {}), ("json", [])):
            self.refused(await self.client.patch(f"{self.maps}/x", patch, way), 404, "NotFound")
        reply = await self.client.create("/api/v1/namespaces/none/configmaps", config_map("a"))
        self.refused(reply, 404, "NotFound", 'namespaces "none" not found')

    async def test_generated_name(self) -> None:
        """With generateName the server finds a name."""
        await self.ready()
        made = await self.made(self.maps, {"metadata": {"generateName": "some-"}})
        self.assertRegex(made["metadata"]["name"], r"^some-[a-z0-9]{5}$")

    async def test_bad_objects(self) -> None:
        """Names that are none, and objects of another kind or place, are refused."""
        await self.ready()
        status = self.refused(
            await self.client.create(self.maps, config_map("A_")),
            422,
            "Invalid",
            'ConfigMap "A_" is invalid: metadata.name: Invalid value: "A_": a lowercase RFC 1123 '
            "subdomain must consist of",
        )
        cause = status["details"]["causes"][0]
        self.assertEqual((cause["reason"], cause["field"]), ("FieldValueInvalid", "metadata.name"))
        self.assertEqual(status["details"]["kind"], "ConfigMap")
        self.refused(
            await self.client.create(self.maps, {"metadata": {}}),
            422,
            "Invalid",
            "name or generateName is required",
        )
        for obj, text in (
            ({"metadata": {"name": "a", "namespace": "other"}}, "namespace of the provided object"),
            ({**config_map("a"), "kind": "Secret"}, "cannot be handled as a ConfigMap"),
        ):
            self.refused(await self.client.create(self.maps, obj), 400, "BadRequest", text)
        reply = await self.client.create(self.maps, {**config_map("a"), "data": {"a/b": ""}})
        self.refused(reply, 422, "Invalid", 'data[a/b]: Invalid value: "a/b": a valid config key')
        reply = await self.client.ask("POST", self.maps, "{")
        self.refused(reply, 400, "BadRequest", "couldn't get version/kind; json parse error")
        reply = await self.client.create(
            self.maps, {"metadata": {"name": "a", "resourceVersion": "7"}}
        )
        self.refused(reply, 500, "", "resourceVersion should not be set on objects to be created")

    async def test_types(self) -> None:
        """Values of another type cannot be read."""
        await self.ready()
        workload: dict[str, Any] = daemon_set("a")["spec"]
        for path, obj, text in (
            (self.maps, {"metadata": {"name": "a", "labels": {"a": 1}}}, "number"),
            (self.maps, {"metadata": {"name": "a", "annotations": {"a": True}}}, "bool"),
            (self.maps, {"metadata": {"name": "a"}, "data": {"a": 1}}, "number"),
            (self.maps, {"metadata": {"name": "a"}, "data": []}, "array"),
            (self.maps, {"metadata": "a"}, "string"),
            (self.daemons, {"metadata": {"name": "a"}, "spec": "x"}, "string"),
            (
                self.daemons,
                {"metadata": {"name": "a"}, "spec": {"template": {"spec": {"containers": {}}}}},
                "object",
            ),
        ):
            kind = "ConfigMap" if path == self.maps else "DaemonSet"
            reply = await self.client.create(path, obj)
            about = f'{kind} in version "v1" cannot be handled as a {kind}: json: cannot unmarshal '
            self.refused(reply, 400, "BadRequest", f"{about}{text} into Go struct field ")
        workload["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": 1}]
        reply = await self.client.apply(f"{self.daemons}/a", {**daemon_set("a"), "spec": workload})
        self.refused(
            reply,
            500,
            "",
            "failed to create typed patch object (/a; apps/v1, Kind=DaemonSet): "
            '.spec.template.spec.containers[name="plugin"].env[name="A"].value: expected string',
        )
        obj = {**config_map("a"), "data": {"a": 1}}
        reply = await self.client.apply(f"{self.maps}/a", obj)
        self.refused(reply, 500, "", "(/a; /v1, Kind=ConfigMap): .data.a: expected string, got ")
        self.refused(await self.client.ask("POST", self.maps, "[]"), 400, "BadRequest")
        for query in (
            {"limit": "x"},
            {"resourceVersion": "x"},
            {"watch": "1", "timeoutSeconds": "x"},
        ):
            reply = await self.client.get(self.maps, **query)
            self.refused(reply, 400, "BadRequest", 'parsing "x": invalid syntax')

    async def test_nodes(self) -> None:
        """A node's quantities are texts; one that is 0 can be taken away."""
        await self.ready()
        status = {"capacity": {"e.com/x": 3, "e.com/y": "0"}, "allocatable": {"e.com/y": "0"}}
        made = await self.made("/api/v1/nodes", {"metadata": {"name": self.name}, "status": status})
        path = f"/api/v1/nodes/{self.name}"
        self.assertEqual(made["status"]["capacity"], {"e.com/x": "3", "e.com/y": "0"})
        self.assertEqual(made["status"]["allocatable"], {"e.com/y": "0"})
        operations = [
            {"op": "test", "path": "/status/capacity/e.com~1y", "value": "0"},
            {"op": "remove", "path": "/status/capacity/e.com~1y"},
            {"op": "remove", "path": "/status/allocatable/e.com~1y"},
        ]
        new = self.good(await self.client.patch(f"{path}/status", operations, "json"))
        self.assertEqual(new["status"]["capacity"], {"e.com/x": "3"})
        self.assertEqual(new["status"]["allocatable"], {"e.com/x": "3"})
        reply = await self.client.patch(f"{path}/status", operations, "json")
        self.refused(reply, 422, "Invalid")
        new = self.good(await self.client.patch(path, {"status": {"capacity": {"e.com/z": "1"}}}))
        self.assertEqual(new["status"]["capacity"], {"e.com/x": "3"})
        self.good(await self.client.delete(path))

    async def test_events(self) -> None:
        """Events are in the namespace of their object, or in the default one."""
        await self.ready()
        for namespace, about, code in (
            (self.name, self.name, 201),
            (self.name, "", 422),
            (self.name, "other", 422),
            ("default", "", 201),
        ):
            event = {
                "metadata": {"generateName": "e-", "namespace": namespace},
                "involvedObject": {"kind": "Odd", "name": "x", "namespace": about},
                "reason": "Reason",
                "type": "Normal",
            }
            reply = await self.client.create(f"/api/v1/namespaces/{namespace}/events", event)
            self.assertEqual(reply.code, code, reply.body)
            if code == 422:
                text = f'Invalid value: "{about}": does not match event.namespace'
                self.refused(reply, code, "Invalid", f"involvedObject.namespace: {text}")

    async def test_created_by_update(self) -> None:
        """An update creates a lease or a role that is not there, and no other object."""
        await self.ready()
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.name}/leases/a"
        lease = {"metadata": {"name": "a", "resourceVersion": "7"}, "spec": {"holderIdentity": "x"}}
        made = self.good(await self.client.update(path, lease), 201)
        self.refused(await self.client.update(path, lease), 409, "Conflict")
        self.good(await self.client.update(path, made))
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.name}/roles/a"
        self.good(await self.client.update(path, {"metadata": {"name": "a"}, "rules": []}), 201)
        for path in (f"{self.maps}/a", f"/api/v1/nodes/{self.name}"):
            reply = await self.client.update(path, {"metadata": {"name": path.rpartition("/")[2]}})
            self.refused(reply, 404, "NotFound")

    async def test_labels(self) -> None:
        """Labels, finalizers and owners have rules."""
        await self.ready()
        owner = {"apiVersion": "v1", "kind": "Node", "name": "x", "uid": "1", "controller": True}
        for metadata, field, text in (
            ({"labels": {"a b": "1"}}, "labels", 'Invalid value: "a b": name part must consist of'),
            ({"labels": {"a": "x y"}}, "labels", 'Invalid value: "x y": a valid label must be an'),
            ({"labels": {"a": "x" * 64}}, "labels", "must be no more than 63 bytes"),
            ({"annotations": {"a/b c": "1"}}, "annotations", "name part must consist of"),
            ({"finalizers": ["none"]}, "finalizers[0]", "neither a standard finalizer name nor is"),
            (
                {"ownerReferences": [{**owner, "uid": ""}]},
                "ownerReferences.uid",
                "must not be empty",
            ),
            (
                {"ownerReferences": [owner, {**owner, "name": "y", "uid": "2"}]},
                "ownerReferences",
                'Found "true" in references for Node/x and Node/y',
            ),
        ):
            obj = {"metadata": {"name": "a", **metadata}}
            status = self.refused(await self.client.create(self.maps, obj), 422, "Invalid", text)
            [cause] = status["details"]["causes"]
            self.assertEqual(cause["field"], f"metadata.{field}")
        status = self.refused(
            await self.client.create(self.daemons, {"metadata": {"name": "a"}}), 422, "Invalid"
        )
        self.assertEqual(
            {f"{each['field']}: {each['message']}" for each in status["details"]["causes"]},
            {
                "spec.template.metadata.labels: Invalid value: null: `selector` does not match "
                "template `labels`",
                "spec.template.spec.containers: Required value",
            },
        )

    async def test_update(self) -> None:
        """An update replaces the object, and is refused if the object has changed since."""
        await self.ready()
        made = await self.made(self.maps, config_map("a", key="1"))
        reply = await self.client.update(f"{self.maps}/a", {**made, "data": {"key": "2"}})
        new = self.good(reply)
        self.assertEqual(new["data"], {"key": "2"})
        self.assertGreater(
            int(new["metadata"]["resourceVersion"]), int(made["metadata"]["resourceVersion"])
        )
        same = ("uid", "creationTimestamp", "name", "namespace")
        self.assertEqual(of(new, *same), of(made, *same))
        reply = await self.client.update(f"{self.maps}/a", {**made, "data": {"key": "3"}})
        status = self.refused(reply, 409, "Conflict")
        self.assertEqual(
            status["message"],
            'Operation cannot be fulfilled on configmaps "a": the object has been modified; please '
            "apply your changes to the latest version and try again",
        )
        self.assertEqual(status["details"], {"name": "a", "kind": "configmaps"})
        # Without a version it is not checked.
        reply = await self.client.update(f"{self.maps}/a", config_map("a", key="4"))
        self.assertEqual(self.good(reply)["data"], {"key": "4"})

    async def test_update_keeps(self) -> None:
        """An update cannot change what identifies an object."""
        await self.ready()
        made = await self.made(self.maps, config_map("a", key="1"))
        other = {**made["metadata"], "creationTimestamp": "2001-01-01T00:00:00Z"}
        new = self.good(await self.client.update(f"{self.maps}/a", {**made, "metadata": other}))
        self.assertEqual(of(new, "creationTimestamp"), of(made, "creationTimestamp"))
        self.refused(
            await self.client.update(f"{self.maps}/a", config_map("b")),
            400,
            "BadRequest",
            "the name of the object (b) does not match the name on the URL (a)",
        )
        other = {"name": "a", "uid": "11111111-1111-1111-1111-111111111111"}
        reply = await self.client.update(f"{self.maps}/a", {**config_map("a"), "metadata": other})
        self.refused(reply, 409, "Conflict", "Precondition failed: UID in precondition: 1111")

    async def test_no_change(self) -> None:
        """What changes nothing leaves the version alone."""
        await self.ready()
        made = await self.made(self.daemons, daemon_set("a"))
        path = f"{self.daemons}/a"
        watch = await self.watch(self.daemons, resourceVersion=of(made, "resourceVersion")[0])
        for reply in (
            await self.client.update(path, made),
            await self.client.update(path, daemon_set("a")),
            await self.client.patch(path, {"metadata": {"labels": {"gone": None}}}),
            await self.client.patch(path, []),
            await self.client.patch(path, [], "json"),
        ):
            if reply.code == 200:
                self.assertEqual(reply.version, of(made, "resourceVersion")[0])
        self.good(await self.client.patch(path, {"metadata": {"labels": {"new": "1"}}}))
        [(event, obj)] = (await watch.seen(1))[:1]
        self.assertEqual((event, obj["metadata"]["labels"]), ("MODIFIED", {"new": "1"}))

    async def test_merge_patch(self) -> None:
        """A merge patch changes what it names, and null removes."""
        await self.ready()
        await self.made(self.maps, config_map("a", one="1", two="2"))
        reply = await self.client.patch(f"{self.maps}/a", {"data": {"one": None, "three": "3"}})
        self.assertEqual(self.good(reply)["data"], {"two": "2", "three": "3"})
        stale = {"metadata": {"resourceVersion": "1"}, "data": {"four": "4"}}
        self.refused(await self.client.patch(f"{self.maps}/a", stale), 409, "Conflict")

    async def test_json_patch(self) -> None:
        """A JSON patch is a list of operations; one that does not apply is refused."""
        await self.ready()
        await self.made(self.maps, config_map("a", one="1", two="2"))
        operations = [
            {"op": "test", "path": "/data/one", "value": "1"},
            {"op": "add", "path": "/metadata/labels", "value": {}},
            {"op": "add", "path": "/metadata/labels/a~1b", "value": "4"},
            {"op": "replace", "path": "/data/one", "value": "5"},
            {"op": "move", "from": "/data/two", "path": "/data/three"},
            {"op": "copy", "from": "/data/three", "path": "/data/four"},
            {"op": "remove", "path": "/data/three"},
        ]
        reply = await self.client.patch(f"{self.maps}/a", operations, "json")
        self.assertEqual(self.good(reply)["data"], {"one": "5", "four": "2"})
        self.assertEqual(of(reply.body, "labels"), [{"a/b": "4"}])
        tail = [
            {"op": "add", "path": "/metadata/finalizers", "value": ["a.example.com/1"]},
            {"op": "add", "path": "/metadata/finalizers/-", "value": "a.example.com/3"},
            {"op": "add", "path": "/metadata/finalizers/1", "value": "a.example.com/2"},
            {"op": "replace", "path": "/metadata/finalizers/0", "value": "a.example.com/0"},
            {"op": "remove", "path": "/metadata/finalizers/2"},
        ]
        reply = await self.client.patch(f"{self.maps}/a", tail, "json")
        expected = ["a.example.com/0", "a.example.com/2"]
        self.assertEqual(of(self.good(reply), "finalizers"), [expected])
        for operation in (
            {"op": "test", "path": "/data/one", "value": "1"},
            {"op": "add", "path": "/nothing/there", "value": "1"},
            {"op": "remove", "path": "/metadata/finalizers/7"},
            {"op": "remove", "path": "/data/none"},
        ):
            reply = await self.client.patch(f"{self.maps}/a", [operation], "json")
            self.refused(reply, 422, "Invalid", "rejected our request due to an error in our")
        # Unlike RFC 6902 has it, a value that is replaced need not be there.
        replace = [{"op": "replace", "path": "/data/none", "value": "1"}]
        self.good(await self.client.patch(f"{self.maps}/a", replace, "json"))

    async def test_strategic_patch(self) -> None:
        """A strategic merge patch merges lists by key, and knows how to delete."""
        await self.ready()
        obj = daemon_set("a", finalizers=["example.com/one"])
        containers = obj["spec"]["template"]["spec"]["containers"]
        containers[0]["env"] = [{"name": name, "value": "1"} for name in ("A", "B")]
        containers.append({"name": "other", "image": "x"})
        await self.made(self.daemons, obj)

        async def patched(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
            patch = {"metadata": metadata, "spec": {"template": {"spec": spec}}}
            return self.good(await self.client.patch(f"{self.daemons}/a", patch, "strategic"))

        new = await patched(
            {
                "$setElementOrder/containers": [{"name": "plugin"}, {"name": "other"}],
                "containers": [
                    {"name": "plugin", "env": [{"name": "A", "value": "2"}]},
                    {"name": "other", "$patch": "delete"},
                ],
                "nodeSelector": {"a": "b"},
            },
            labels={"x": "y"},
            finalizers=["example.com/two"],
        )
        spec = new["spec"]["template"]["spec"]
        self.assertEqual([each["name"] for each in spec["containers"]], ["plugin"])
        self.assertEqual(
            spec["containers"][0]["env"],
            [{"name": "A", "value": "2"}, {"name": "B", "value": "1"}],
        )
        self.assertEqual(of(new, "labels"), [{"x": "y"}])
        self.assertEqual(set(new["metadata"]["finalizers"]), {"example.com/one", "example.com/two"})
        new = await patched({}, finalizers=["example.com/two"], labels={"x": None})
        self.assertEqual(len(new["metadata"]["finalizers"]), 2)
        self.assertFalse(new["metadata"].get("labels"))
        new = await patched(
            {
                "containers": [{"name": "new", "image": "x"}],
                "nodeSelector": {"$patch": "replace", "c": "d"},
            },
            **{"$deleteFromPrimitiveList/finalizers": ["example.com/one"]},
        )
        spec = new["spec"]["template"]["spec"]
        self.assertEqual([each["name"] for each in spec["containers"]], ["new", "plugin"])
        self.assertEqual(spec["nodeSelector"], {"c": "d"})
        self.assertEqual(new["metadata"]["finalizers"], ["example.com/two"])
        new = await patched(
            {
                "containers": [{"$patch": "replace"}, {"name": "only", "image": "y"}],
                "nodeSelector": {"$patch": "delete"},
            }
        )
        spec = new["spec"]["template"]["spec"]
        self.assertEqual([each["name"] for each in spec["containers"]], ["only"])
        self.assertNotIn("nodeSelector", spec)

    async def test_unknown_patch(self) -> None:
        """A patch in an unknown format is refused."""
        await self.ready()
        await self.made(self.maps, config_map("a"))
        reply = await self.client.ask("PATCH", f"{self.maps}/a", "x", "text/plain")
        self.refused(reply, 415, "UnsupportedMediaType")

    async def test_generation(self) -> None:
        """Only changes of the spec count as generations."""
        await self.ready()
        made = await self.made(self.daemons, daemon_set("a"))
        self.assertEqual(of(made, "generation"), [1])
        path = f"{self.daemons}/a"
        for patch, subresource, expected in (
            ({"metadata": {"labels": {"a": "b"}}}, "", 1),
            ({"status": {"numberReady": 3}}, "/status", 1),
            ({"spec": {"minReadySeconds": 3}}, "", 2),
            ({"spec": {"minReadySeconds": 3}}, "", 2),
            ({"metadata": {"generation": 9}}, "", 2),
            ({"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}, "", 3),
        ):
            reply = await self.client.patch(path + subresource, patch)
            self.assertEqual(of(self.good(reply), "generation"), [expected], patch)

    async def test_status(self) -> None:
        """The status is written through its subresource alone, and nothing else through that."""
        await self.ready()
        sent = {**daemon_set("a"), "status": {"numberReady": 7}}
        made = await self.made(self.daemons, sent)
        self.assertEqual(made["status"]["numberReady"], 0)
        path = f"{self.daemons}/a"
        new = self.good(await self.client.patch(path, {"status": {"numberReady": 7}}))
        self.assertEqual(new["status"]["numberReady"], 0)
        both = {"status": {"numberReady": 7}, "spec": {"minReadySeconds": 9}}
        new = self.good(await self.client.patch(f"{path}/status", both))
        self.assertEqual(new["status"]["numberReady"], 7)
        self.assertNotIn("minReadySeconds", new["spec"])
        new["status"]["numberReady"] = 8
        new = self.good(await self.client.update(f"{path}/status", new))
        self.assertEqual(new["status"]["numberReady"], 8)
        self.assertEqual(self.good(await self.client.get(f"{path}/status")), new)

    async def test_defaults(self) -> None:
        """A DaemonSet gets defaults, which do not count as changes later."""
        await self.ready()
        made = await self.made(self.daemons, daemon_set("a"))
        spec = made["spec"]
        self.assertEqual(
            spec["updateStrategy"],
            {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        )
        self.assertEqual(spec["revisionHistoryLimit"], 10)
        self.assertEqual(
            spec["template"]["spec"],
            {
                "containers": [
                    {
                        "name": "plugin",
                        "image": "example.com/plugin:1",
                        "resources": {},
                        "terminationMessagePath": "/dev/termination-log",
                        "terminationMessagePolicy": "File",
                        "imagePullPolicy": "IfNotPresent",
                    }
                ],
                "restartPolicy": "Always",
                "terminationGracePeriodSeconds": 30,
                "dnsPolicy": "ClusterFirst",
                "securityContext": {},
                "schedulerName": "default-scheduler",
            },
        )
        reply = await self.client.update(f"{self.daemons}/a", daemon_set("a"))
        self.assertEqual(self.good(reply), made)

    async def test_defaults_of_claims(self) -> None:
        """A claim's request is for one device unless it says otherwise."""
        await self.ready()
        path = f"/apis/resource.k8s.io/v1/namespaces/{self.name}/resourceclaims"
        request = {"name": "r", "exactly": {"deviceClassName": "c"}}
        claim = {"metadata": {"name": "a"}, "spec": {"devices": {"requests": [request]}}}
        made = await self.made(path, claim)
        self.assertEqual(
            made["spec"]["devices"]["requests"][0]["exactly"],
            {"deviceClassName": "c", "allocationMode": "ExactCount", "count": 1},
        )

    async def test_rules(self) -> None:
        """A DaemonSet's selector cannot change, and must select its own pods."""
        await self.ready()
        await self.made(self.daemons, daemon_set("a"))
        patch = {"spec": {"selector": {"matchLabels": {"app": "b"}}}}
        status = self.refused(
            await self.client.patch(f"{self.daemons}/a", patch),
            422,
            "Invalid",
            'DaemonSet.apps "a" is invalid: [spec.selector: Invalid value: ',
            "field is immutable",
            "`selector` does not match template `labels`",
        )
        self.assertEqual(
            [(each["reason"], each["field"]) for each in status["details"]["causes"]],
            [
                ("FieldValueInvalid", "spec.selector"),
                ("FieldValueInvalid", "spec.template.metadata.labels"),
            ],
        )

    async def test_dry_run(self) -> None:
        """A dry run answers as if it had been done, and changes nothing."""
        await self.ready()
        reply = await self.client.create(self.maps, config_map("a"), dryRun="All")
        self.assertEqual(self.good(reply, 201)["metadata"]["name"], "a")
        self.refused(await self.client.get(f"{self.maps}/a"), 404, "NotFound")
        made = await self.made(self.maps, config_map("a", key="1"))
        path = f"{self.maps}/a"
        reply = await self.client.patch(path, {"data": {"key": "2"}}, dryRun="All")
        self.assertEqual(self.good(reply)["data"], {"key": "2"})
        self.good(await self.client.delete(path, dryRun="All"))
        self.assertEqual(self.good(await self.client.get(path)), made)


class FakeWriteTests(OnFake, WriteContract, TestCase):
    """The contract, tested on the fake server."""


class RealWriteTests(OnReal, WriteContract, TestCase):
    """The contract, tested on a real server."""
