"""A possible secret is in no log line, at any level, and in no text for a pod."""

import os
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.integration.test_life import BLUE, YELLOW, LifeTestCase, ToldScanner
from tests.support.helpers import failure_of
from tests.support.logs import observe
from twistdp import (
    HEALTHY,
    AllocateResponse,
    CDIDevice,
    CDIHook,
    CDIMount,
    CDINode,
    ContainerAllocateResponse,
    DeviceInfo,
    DeviceSpec,
    DeviceTree,
    IAllocator,
    IContainerPreStarter,
    IPostAllocator,
    IPreferredAllocator,
    Mount,
    klog,
)
from twistdp.errors import BadDevice, BadTree
from twistdp.logs.format import as_json, as_text
from twistdp.logs.record import caller_of, record_of
from twistdp.model.acceptance import accept
from twistdp.testing.endpoint import AdmissionRefused

SECRET = "hunter2"
KEY = "LICENCE_TOKEN"
SECRETS = {KEY: SECRET}


def device(*, key: str = KEY, extra: str = "", **parts: Any) -> DeviceInfo:
    """A device with secrets wherever there can be some."""
    parts.setdefault("annotations", {key: SECRET + extra})
    parts.setdefault("envs", {key: SECRET + extra})
    return DeviceInfo(HEALTHY, **parts)


def cdi(**parts: Any) -> CDIDevice:
    """A CDI part with secrets wherever there can be some."""
    mount = CDIMount("//server/x", "/x", ["bind", f"password={SECRET}"], "cifs")
    hook = CDIHook("createRuntime", "/bin/x", ["x", f"--token={SECRET}"], SECRETS)
    usual: dict[str, Any] = {"mounts": [mount], "hooks": [hook], "env": SECRETS}
    return CDIDevice(nodes=[CDINode("/dev/null")], **usual | parts)


class SecrecyCase(LifeTestCase):
    """Keeps all that is logged, in each form, at the highest level."""

    def setUp(self) -> None:
        """Begin to keep it."""
        super().setUp()
        self.said: list[str] = []
        self.addCleanup(klog.set_level, klog.level())
        klog.set_level(10)
        observe(self, self._keep)

    def _keep(self, event: LogEvent) -> None:
        record = record_of(event, caller_of(event))
        self.said.append(formatEvent(event))
        # Whatever an administrator's own observer may show.
        self.said += [repr(value) for key, value in event.items() if key != "log_trace"]
        if record is not None:
            self.said += [as_text(record), as_json(record)]

    async def refused(self, *ids: str) -> str:
        """The pod's text."""
        call = self.kubelet.allocate(YELLOW, ids=ids)
        text = str(await failure_of(call, AdmissionRefused))
        self.assertNotIn(SECRET, text)
        return text

    async def serve(self, scanner: Any) -> None:
        """Serve what a scanner finds."""
        await self.kubelet.start()
        self.manage(scanner, cdi_dir=os.path.join(self.directory, "cdi"))
        await self.kubelet.until(lambda: self.kubelet.allocatable(YELLOW) > 0)

    def assert_kept(self, *words: str) -> None:
        """Fail if the log has the secret, or lacks these words, which show that it works."""
        self.flushLoggedErrors()
        for said in self.said:
            self.assertNotIn(SECRET, said)
        for word in words:
            self.assertTrue([said for said in self.said if word in said], word)


class PathsTests(SecrecyCase):
    """All ways that a value goes."""

    async def test_allocate(self) -> None:
        """Devices that are found, listed, handed out, changed and gone."""
        tree = DeviceTree()
        node = DeviceSpec("/dev/null", "/dev/x")
        tree.add_device("yellow", "a", device(nodes=[node], mounts=[Mount("/h", "/c")]))
        tree.add_device("yellow", "b", device(key="OTHER", cdi=cdi()))
        scanner = ToldScanner(tree)
        await self.serve(scanner)
        answer = await self.kubelet.allocate(YELLOW, ids=["a", "b"])
        self.assertEqual(answer.envs[KEY], SECRET)  # the container's, as it shall be
        with open(os.path.join(self.directory, "cdi", *self.specs()), encoding="ascii") as file:
            self.assertIn(SECRET, file.read())
        changed = DeviceTree()
        changed.add_device("yellow", "a", device(extra="3"))
        scanner.tell(changed)
        await self.kubelet.listed(YELLOW, ["a"])
        scanner.tell(DeviceTree())
        await self.kubelet.listed(YELLOW, [])
        self.assert_kept("allocation asked for", "list sent")

    def specs(self) -> list[str]:
        """The names of the CDI specs."""
        return os.listdir(os.path.join(self.directory, "cdi"))

    async def test_conflicts(self) -> None:
        """Devices that disagree are named with the key, and neither value."""
        tree = DeviceTree()
        for id_, value in (("a", SECRET), ("b", SECRET + "3")):
            tree.add_device("yellow", f"env-{id_}", DeviceInfo(HEALTHY, envs={KEY: value}))
            tree.add_device("yellow", f"note-{id_}", DeviceInfo(HEALTHY, annotations={KEY: value}))
            tree.add_device("yellow", f"cdi-{id_}", DeviceInfo(HEALTHY, cdi=cdi(env={KEY: value})))
            tree.add_device(
                "yellow",
                f"mount-{id_}",
                DeviceInfo(HEALTHY, cdi=CDIDevice(mounts=[CDIMount("/h", "/c", ["bind", value])])),
            )
        await self.serve(ToldScanner(tree))
        for kind, what in (
            ("env", f"env {KEY}"),
            ("note", f"annotation {KEY}"),
            ("cdi", f"env {KEY}"),
            ("mount", "mount path /c"),
        ):
            text = await self.refused(f"{kind}-a", f"{kind}-b")
            self.assertIn(f"devices {kind}-a and {kind}-b cannot be in one container", text)
            self.assertIn(f"{what} different values", text)
        self.assert_kept("different values")

    async def test_a_spec_that_cannot_be_written(self) -> None:
        """The path is logged, and nothing of the file's contents."""
        with open(os.path.join(self.directory, "cdi"), "w", encoding="ascii"):
            pass
        tree = DeviceTree()
        tree.add_device("yellow", "a", device(cdi=cdi()))
        await self.serve(ToldScanner(tree))
        self.assertIn("cannot be written", await self.refused("a"))
        self.assert_kept("cannot be written")

    async def test_hooks_that_raise(self) -> None:
        """Neither a pod's text nor the stack in the log shows what a hook was working with."""

        def crash(argument: Any) -> None:
            token = SECRET
            raise LookupError(f"no {argument!r}", len(token))

        await self.serve(Hooked(crash))
        for _ in range(2):
            self.assertIn("failed: LookupError; its log", await self.refused("a"))
        node = self.kubelet.resources[YELLOW]
        start = Deferred.fromCoroutine(node.start_container(["a"]))
        failed = await failure_of(start, AdmissionRefused)
        self.assertNotIn(SECRET, str(failed))
        self.assert_kept("LookupError", "in crash")

    async def test_what_a_hook_says_is_not_for_pods(self) -> None:
        """A library's exception may have the secret in its text: that stays on the node."""

        def crash(_: Any) -> None:
            raise ConnectionError(f"GET https://licences.example.com/?token={SECRET} failed")

        await self.serve(Hooked(crash))
        await self.refused("a")
        await self.refused("a")
        self.flushLoggedErrors()

    async def test_hooks_that_answer_nonsense(self) -> None:
        """The log names the kind of what they answered."""
        answers: list[Any] = [
            SECRETS,
            [SECRETS],
            SECRET,
            ContainerAllocateResponse(SECRETS),
            AllocateResponse([SECRETS]),  # type: ignore[list-item]
            AllocateResponse(SECRETS),  # type: ignore[arg-type]
            AllocateResponse(SECRET),  # type: ignore[arg-type]
            AllocateResponse([ContainerAllocateResponse([f"{KEY}={SECRET}"])]),  # type: ignore
            AllocateResponse([ContainerAllocateResponse({KEY: SECRET + "\0"})]),
            AllocateResponse([ContainerAllocateResponse({KEY: SECRET + "\udcff"})]),
            AllocateResponse([ContainerAllocateResponse({f"{KEY}={SECRET}": ""})]),
            AllocateResponse([ContainerAllocateResponse({KEY: [SECRET]})]),  # type: ignore
            AllocateResponse([ContainerAllocateResponse(annotations=SECRET)]),  # type: ignore
            AllocateResponse([ContainerAllocateResponse(mounts=SECRETS)]),  # type: ignore
            AllocateResponse([ContainerAllocateResponse(devices=[SECRETS])]),  # type: ignore
            AllocateResponse([ContainerAllocateResponse(cdi_devices=SECRETS)]),  # type: ignore
            AllocateResponse([ContainerAllocateResponse(cdi_devices=[SECRETS])]),  # type: ignore
        ]
        scanner = Hooked(lambda _: answers[0])
        await self.serve(scanner)
        while answers:
            self.assertIn("code = INTERNAL", await self.refused("a"))
            answers.pop(0)
        self.assert_kept("answered")

    async def test_refused_devices(self) -> None:
        """A device that cannot be used is left out with a reason that shows no value."""
        tree = DeviceTree()
        tree.add_device("yellow", "good", device())
        tree.add_device("yellow", "bad", SECRETS)  # type: ignore[arg-type]
        tree.add_device("yellow", "worse", SECRET)  # type: ignore[arg-type]
        scanner = ToldScanner(tree)
        await self.serve(scanner)
        await self.kubelet.listed(YELLOW, ["good"])
        for nonsense in (SECRETS, [SECRETS], SECRET, {"yellow": {"a": device()}}):
            scanner.tell(nonsense)
        self.assert_kept("left out", "must produce")
        self.assertEqual(len(self.logged("left out")), 2)

    async def test_a_scanner_that_shows_itself(self) -> None:
        """A scanner's attributes are constructor arguments, which are not logged with its name."""

        @attrs.define
        class Telling(ToldScanner):
            tree: DeviceTree
            token: str
            join: Any = attrs.Factory(dict)

        tree = DeviceTree()
        tree.add_device("yellow", "a", device())
        scanner = Telling(tree, SECRET)
        await self.serve(scanner)
        scanner.join = SECRET
        tree.add_device("blue", "a", device())
        scanner.tell(tree)
        await self.kubelet.listed(BLUE, ["a"])
        self.assert_kept("its attribute join")


@implementer(IAllocator, IPostAllocator, IPreferredAllocator, IContainerPreStarter)
class Hooked(ToldScanner):
    """Does the same in each of its hooks."""

    def __init__(self, hook: Callable[[Any], Any]) -> None:
        tree = DeviceTree()
        tree.add_device("yellow", "a", device())
        super().__init__(tree)
        self.allocate = self.post_allocate = self.pre_start_container = hook
        self.get_preferred_allocation = hook


def bad_devices() -> list[Callable[[], Any]]:
    """Makes devices that are refused, each for a part that is, or could be, a secret."""
    return [
        lambda: DeviceInfo(HEALTHY, envs=SECRET),  # type: ignore[arg-type]
        lambda: DeviceInfo(HEALTHY, envs=[f"{KEY}={SECRET}"]),  # type: ignore[arg-type]
        lambda: DeviceInfo(HEALTHY, envs={f"{KEY}={SECRET}": ""}),
        lambda: DeviceInfo(HEALTHY, envs={(KEY, SECRET): ""}),  # type: ignore[dict-item]
        lambda: DeviceInfo(HEALTHY, envs={KEY: SECRET.encode()}),  # type: ignore[dict-item]
        lambda: DeviceInfo(HEALTHY, envs={KEY: SECRET + "\0"}),
        lambda: DeviceInfo(HEALTHY, envs={KEY: SECRET + "\udcff"}),
        lambda: DeviceInfo(HEALTHY, annotations={KEY: [SECRET]}),  # type: ignore[dict-item]
        lambda: DeviceInfo(HEALTHY, annotations={KEY: SECRET + "\udcff"}),
        lambda: DeviceInfo(HEALTHY, nodes=[SECRETS]),  # type: ignore[list-item]
        lambda: DeviceInfo(HEALTHY, mounts=SECRET),  # type: ignore[arg-type]
        lambda: DeviceInfo(HEALTHY, reason=SECRETS),  # type: ignore[arg-type]
        lambda: DeviceInfo(HEALTHY, group=SECRETS),  # type: ignore[arg-type]
        lambda: DeviceInfo(HEALTHY, cdi=SECRETS),  # type: ignore[arg-type]
        lambda: device(cdi=cdi(env=SECRET)),
        lambda: device(cdi=cdi(env=[f"{KEY}={SECRET}"])),
        lambda: device(cdi=cdi(env={f"{KEY}={SECRET}": ""})),
        lambda: device(cdi=cdi(env={KEY: SECRET + "\0"})),
        lambda: device(cdi=cdi(env={KEY: SECRET + "\udcff"})),
        lambda: device(cdi=cdi(env={KEY: [SECRET]})),
        lambda: device(cdi=cdi(hooks=SECRET)),
        lambda: device(cdi=cdi(hooks=[SECRETS])),
        lambda: device(cdi=cdi(hooks=[CDIHook("createRuntime", "/x", f"--token={SECRET}")])),
        lambda: device(cdi=cdi(hooks=[CDIHook("createRuntime", "/x", [SECRET + "\0"])])),
        lambda: device(
            cdi=cdi(hooks=[CDIHook("createRuntime", "/x", [], {KEY: SECRET + "\udcff"})])
        ),
        lambda: device(cdi=cdi(mounts=[CDIMount("/h", "/c", [f"password={SECRET}"])])),
        lambda: device(cdi=cdi(mounts=[CDIMount("/h", "/c", ["bind", SECRET + "\0"])])),
        lambda: device(cdi=cdi(intel_rdt=SECRETS)),
    ]


class ValuesTests(SynchronousTestCase):
    """Values by themselves."""

    def test_repr(self) -> None:
        """Printed, such as in an author's own exception, they name the variables only."""
        shown = [
            device(cdi=cdi()),
            cdi(),
            *cdi().hooks,
            *cdi().mounts,
            ContainerAllocateResponse(SECRETS, annotations=SECRETS),
            AllocateResponse([ContainerAllocateResponse(SECRETS)]),
        ]
        tree = DeviceTree()
        tree.add_device("yellow", "a", device())
        for value in (*shown, tree):
            self.assertNotIn(SECRET, repr(value))
        self.assertIn(f"envs=<{KEY}>", repr(device()))

    def test_refusals(self) -> None:
        """The error about an unusable value does not show it."""
        for bad in bad_devices():
            error = self.assertRaises(BadDevice, bad)
            self.assertNotIn(SECRET, str(error))
        self.assertNotIn(SECRET, str(self.assertRaises(BadTree, accept, SECRETS)))
