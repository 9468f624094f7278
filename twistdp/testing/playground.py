"""Performs commands on an emulated kubelet, and words the answers for people and programs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
from twisted.internet.defer import TimeoutError

from twistdp.errors import TwistdpError
from twistdp.kubelet.deviceplugin_v1beta1_pb2 import ContainerAllocateResponse
from twistdp.model import printable
from twistdp.testing import command_values
from twistdp.testing.commands import FORMS, CommandFailed, parse, split, usage
from twistdp.testing.kubelet import FakeKubelet
from twistdp.testing.node import NodeResource
from twistdp.testing.pods import Holding


@attrs.frozen
class Answer:
    """What a command has done: `text` is a line, several, or JSON; without `ok` it is an error."""

    ok: bool
    text: str


@attrs.frozen
class _Found:
    """An answer's lines for people, and its value for programs."""

    lines: Sequence[str]
    value: Any

    def answer(self, as_json: bool) -> Answer:
        """It as an answer."""
        if as_json:
            return Answer(True, json.dumps(self.value))
        return Answer(True, "\n".join(map(printable, self.lines)))


class Playground:
    """Takes commands for `kubelet`."""

    def __init__(self, kubelet: FakeKubelet) -> None:
        self._kubelet = kubelet

    async def answer(self, words: Sequence[str]) -> Answer:
        """Perform a command; its words are as for `twistdp.testing.commands.parse`."""
        try:
            command, as_json = parse(words)
            found = await self._perform(command)
        except (TwistdpError, OSError) as error:
            return Answer(False, printable(str(error)))
        return found.answer(as_json)

    async def typed(self, line: str) -> str:
        """Perform a command in a line, and return the answer's text; empty without a command."""
        try:
            words = split(line)
        except CommandFailed as error:
            return str(error)
        return (await self.answer(words)).text if words else ""

    async def _perform(self, command: command_values.Command) -> _Found:
        kubelet = self._kubelet
        match command:
            case command_values.Allocate():
                return await self._allocate(command)
            case command_values.Run(namespace, pod, container, static):
                kubelet.run(pod, container=container, namespace=namespace, static=static)
                return _done(f"{namespace}/{pod} ({container}) runs without devices")
            case command_values.Release(namespace, pod, force):
                return await self._release(namespace, pod, force)
            case command_values.List():
                return self._list()
            case command_values.Show(resource):
                return self._show(resource)
            case command_values.Wait():
                return await self._wait(command)
            case command_values.Restart():
                await kubelet.restart()
                return _done("the kubelet has restarted")
            case command_values.ApiServer(answers):
                kubelet.api_server = answers
                return _done(f"the API server {'answers' if answers else 'does not answer'}")
            case command_values.ReplaceSocket():
                await kubelet.replace_socket()
                return _done("kubelet.sock is another one now")
            case command_values.Refuse(text):
                kubelet.refusal = text
                if text is None:
                    return _done("registrations are accepted")
                return _done(f"registrations are refused: {text}")
            case command_values.KillStreams(resource):
                return self._kill_streams(resource)
            case command_values.Help():
                return _helped()

    async def _allocate(self, wanted: command_values.Allocate) -> _Found:
        answer = await self._kubelet.allocate(
            wanted.resource,
            wanted.count,
            ids=wanted.ids or None,
            pod=wanted.pod,
            container=wanted.container,
            namespace=wanted.namespace,
            init=wanted.init,
        )
        from google.protobuf.json_format import MessageToDict

        held = self._kubelet.pods.held(wanted.namespace, wanted.pod, wanted.container)
        ids = sorted(held[-1].ids)
        value = {
            "resource": wanted.resource,
            "ids": ids,
            "holder": _holder(held[-1]),
            "answer": MessageToDict(answer),
        }
        first = f"{_name(held[-1])} has {wanted.resource} {' '.join(ids)} and gets"
        given = list(_given(answer))
        return _Found([f"{first} nothing else"] if not given else [f"{first}:", *given], value)

    async def _release(self, namespace: str, pod: str, force: bool) -> _Found:
        kubelet = self._kubelet
        whole = f"{namespace}/{pod}"
        if kubelet.pods.running(namespace, pod) is None:
            there = sorted(
                f"{each.namespace}/{each.name}"
                for each in kubelet.pods.all()
                if each.leaves is None
            )
            hint = f"; there is {', '.join(there)}" if there else ""
            raise CommandFailed(f"{whole}: no such pod runs{hint}")
        kubelet.release(pod, namespace, force=force)
        await kubelet.forgotten(pod, namespace)
        return _done(f"{whole} has ended")

    def _list(self) -> _Found:
        found = [self._resource(node) for node in self._nodes(None)]
        if not found:
            return _Found(["no plugin has registered"], {"resources": found})
        names = ("capacity", "allocatable", "held")
        rows = [["RESOURCE", *map(str.upper, names), "PLUGIN"]]
        for each in found:
            plugin = "connected" if each["connected"] else "gone"
            rows.append([each["name"], *(str(each[name]) for name in names), plugin])
        return _Found(_table(rows), {"resources": found})

    def _show(self, resource: str | None) -> _Found:
        lines = []
        found = []
        for node in self._nodes(resource):
            each = self._resource(node)
            each["devices"] = devices = list(self._devices(node))
            found.append(each)
            lines.append(
                f"{node.name}: capacity {each['capacity']}, allocatable {each['allocatable']}, "
                f"held {each['held']}"
            )
            rows = [_row(device) for device in devices]
            lines += [f"  {line}" for line in _table([["ID", "HEALTH", "NUMA", "POD"], *rows])]
        return _Found(lines or ["no plugin has registered"], {"resources": found})

    async def _wait(self, wanted: command_values.Wait) -> _Found:
        kubelet, name = self._kubelet, wanted.resource
        try:
            await kubelet.until(lambda: kubelet.allocatable(name) >= wanted.count, wanted.timeout)
        except TimeoutError:
            raise CommandFailed(
                f"{name}: {kubelet.allocatable(name)} allocatable after {wanted.timeout:g} s, "
                f"not {wanted.count}"
            ) from None
        count = kubelet.allocatable(name)
        return _Found([f"{name}: {count} allocatable"], {"resource": name, "allocatable": count})

    def _kill_streams(self, resource: str | None) -> _Found:
        nodes = [node for node in self._nodes(resource) if node.connected]
        if not nodes:
            raise CommandFailed(f"{resource or 'no resource'}: no plugin is connected")
        for node in nodes:
            self._kubelet.disconnect(node.name)
        ended = [node.name for node in nodes]
        return _Found([f"{name}: its stream is ended" for name in ended], {"ended": ended})

    def _nodes(self, resource: str | None) -> list[NodeResource]:
        """The node's resources, or the one of this name; raises `CommandFailed` without it."""
        known = self._kubelet.resources
        if resource is None:
            return [known[name] for name in sorted(known)]
        if resource not in known:
            hint = f"; there is {', '.join(sorted(known))}" if known else ""
            raise CommandFailed(f"{resource}: no plugin has registered it{hint}")
        return [known[resource]]

    def _holdings(self, node: NodeResource) -> dict[str, Holding]:
        """Who holds the devices of a resource, by their ids."""
        return {
            id_: held
            for held in self._kubelet.pods
            if held.resource == node.name
            for id_ in held.ids
        }

    def _resource(self, node: NodeResource) -> dict[str, Any]:
        return {
            "name": node.name,
            "capacity": node.capacity,
            "allocatable": node.allocatable,
            "held": len(self._holdings(node)),
            "connected": node.connected,
        }

    def _devices(self, node: NodeResource) -> Iterator[dict[str, Any]]:
        """All that are listed or held; those that are not listed any more have no health."""
        holdings = self._holdings(node)
        for id_ in sorted({*node.devices, *holdings}):
            held = holdings.get(id_)
            yield {
                "id": id_,
                "health": node.devices.get(id_),
                "numaNodes": list(node.numa.get(id_, ())),
                "holder": None if held is None else _holder(held),
            }


def helped(as_json: bool = False) -> Answer:
    """What ``help`` answers; it needs no kubelet."""
    return _helped().answer(as_json)


def _helped() -> _Found:
    lines = [line for name, form in FORMS.items() for line in (usage(name), f"    {form.summary}")]
    lines.append("Every command takes --json.")
    return _Found(lines, {usage(name): form.summary for name, form in FORMS.items()})


def _done(line: str) -> _Found:
    return _Found([line], {"done": line})


def _holder(held: Holding) -> dict[str, str]:
    return {"namespace": held.namespace, "pod": held.pod, "container": held.container}


def _name(held: Holding) -> str:
    return f"{held.namespace}/{held.pod} ({held.container})"


def _row(device: Mapping[str, Any]) -> list[str]:
    holder = device["holder"]
    pod = f"{holder['namespace']}/{holder['pod']} ({holder['container']})" if holder else "-"
    numa = ",".join(map(str, device["numaNodes"])) or "-"
    return [device["id"], device["health"] or "not listed", numa, pod]


def _given(answer: ContainerAllocateResponse) -> Iterator[str]:
    """What a container gets, in lines."""
    for node in answer.devices:
        yield f"  node {node.host_path} as {node.container_path} ({node.permissions})"
    for mount in answer.mounts:
        mode = "read only" if mount.read_only else "writable"
        yield f"  mount {mount.host_path} as {mount.container_path} ({mode})"
    for key, value in sorted(answer.envs.items()):
        yield f"  variable {key}={value}"
    for key, value in sorted(answer.annotations.items()):
        yield f"  annotation {key}={value}"
    for device in answer.cdi_devices:
        yield f"  CDI device {device.name}"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
