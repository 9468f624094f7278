"""From the parts of a device to what containers get of it."""

from collections.abc import Iterator, Mapping, Sequence

from twistdp.config import Member, fill, fill_path, names
from twistdp.errors import BadDevice, BadName, BadSetting
from twistdp.model import (
    AUTO,
    HEALTHY,
    Auto,
    DeviceInfo,
    DeviceSpec,
    Mount,
    checked_env,
    device_id,
)
from twistdp.scanners.declared.found import LeftOut, Listed, Unit
from twistdp.scanners.declared.identity import Ids
from twistdp.scanners.declared.places import specs
from twistdp.scanners.declared.rule import ALL, Rule
from twistdp.scanners.declared.surroundings import Surroundings, is_path
from twistdp.scanners.declared.words import NUMBER, Words
from twistdp.select import (
    Cause,
    Device,
    Host,
    iommu_group,
    unready,
    word,
)


class Incomplete(Exception):
    """A device lacks something that it must have; the text says what."""


def assemble(
    rule: Rule, unit: Unit, host: Host, ids: Ids, around: Surroundings
) -> Listed | LeftOut:
    """The device that a unit makes, or why it makes none; `around` it may be what it needs."""
    around.begin(unit)
    try:
        return _assembled(rule, unit, host, ids, around)
    except (BadSetting, BadDevice, BadName, Incomplete) as error:
        what = unit.owner.node or unit.owner.name
        lead = unit.functions[0] if unit.functions else unit.owner
        return LeftOut(rule.name, what, str(error), Cause.FAULT, lead)


def _assembled(rule: Rule, unit: Unit, host: Host, ids: Ids, around: Surroundings) -> Listed:
    resource = rule.resource
    is_function = resource.as_ == "vfio" or (resource.group or "none") == "iommu"
    lead = unit.owner if is_function else (unit.functions or [unit.owner])[0]
    if is_function:
        _check_unready(unit.owner)
    words = Words(lead)
    name = _id(rule, unit, words, ids)
    words = words.with_more(id=name)
    _check_required(rule, unit, words, host, around)
    functions = [each for each in unit.functions if each.node is not None]
    for function in functions:
        if host.resolve(str(function.node)) is None:
            raise Incomplete(f"the node {function.node} is gone")
    nodes: list[DeviceSpec] = []
    node = resource.node
    for index, function in enumerate(functions):
        nodes += specs(
            function,
            resource.where.path if not resource.match else _paths(rule),
            index,
            words,
            container_path=node.container_path if node is not None else None,
            permissions=node.permissions if node is not None else None,
            links=node.link if node is not None else (),
        )
    missing: list[str] = []
    common: list[Device] = []
    for number, member in enumerate(resource.members):
        candidates = around.candidates(number, unit)
        found = list(_of_member(member, candidates, words, len(functions)))
        if not found:
            missing.append(_called(member))
        for function, more in found:
            if all(function is not each for each in functions):
                functions.append(function)
                nodes += more
                if is_path(member):
                    common.append(function)
    if nodes:
        words = words.with_more(node=nodes[0].container_path, hostNode=nodes[0].host_path)
    envs, numbered = _envs(resource.env, words)
    nodes = _each_once(nodes)
    mounts = list(_mounts(rule, unit, words, host, around))
    info = DeviceInfo(
        HEALTHY,
        nodes=nodes,
        mounts=mounts,
        envs=envs,
        annotations={key: fill(value, words) for key, value in resource.annotations.items()},
        topology=_topology(resource.numa, lead, functions),
        cdi=resource.cdi.filled(words, nodes, mounts) if resource.cdi is not None else None,
        group=_card(lead),
    )
    if not (info.nodes or info.envs or info.annotations or info.cdi or info.mounts or numbered):
        raise Incomplete(f"{lead.name} has no node, and the resource gives containers nothing else")
    others = () if functions == [lead] else tuple(functions)
    return Listed(rule.name, name, info, lead, others, tuple(common), numbered, tuple(missing))


def _paths(rule: Rule) -> Sequence[str]:
    return [path for match in rule.matches for path in match.path]


def _check_unready(device: Device) -> None:
    for other in unready(device):
        group = iommu_group(other)
        if group is None:
            raise Incomplete(f"{other.name} is in no IOMMU group; is the IOMMU switched on?")
        raise Incomplete(
            f"{other.name} of IOMMU group {group[0]} is bound to {other.driver}, and must be bound "
            "to vfio-pci"
        )


def _id(rule: Rule, unit: Unit, words: Words, ids: Ids) -> str:
    if rule.resource.id is not None:
        return device_id(fill(rule.resource.id, words))
    return rule.name if unit.key == ALL else ids.of(unit.owner, rule.names_place)


def _each_once(nodes: Sequence[DeviceSpec]) -> list[DeviceSpec]:
    return list(dict.fromkeys(nodes))


def _of_member(
    member: Member, candidates: Iterator[tuple[Device, str]], words: Words, index: int
) -> Iterator[tuple[Device, list[DeviceSpec]]]:
    """The nodes of a member; raises `Incomplete` if there is none and there must be."""
    node = member.node
    count = 0
    reason = ""
    for function, why in candidates:
        if why:
            reason = reason or why
            continue
        yield (
            function,
            specs(
                function,
                member.where.path,
                index + count,
                words,
                container_path=node.container_path if node is not None else None,
                permissions=node.permissions if node is not None else None,
                links=node.link if node is not None else (),
            ),
        )
        count += 1
    if not count and not member.optional:
        raise Incomplete(f"member {_called(member)} is not there{reason and f': {reason}'}")


def _called(member: Member) -> str:
    return ", ".join(member.where.path) or member.as_ or ", ".join(member.where.given())


def _envs(
    templates: Mapping[str, str], words: Words
) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """The variables of a device, and those that are numbered over a container's devices."""
    fixed, numbered = {}, []
    for name, value in templates.items():
        if "n" in names(name) or "n" in names(value):
            counting = words.with_more(n=NUMBER)
            numbered.append((fill(name, counting), fill(value, counting)))
        else:
            fixed[fill(name, words)] = fill(value, words)
    first = {name.replace(NUMBER, "0"): value.replace(NUMBER, "0") for name, value in numbered}
    checked_env("envs", first)
    return fixed, tuple(numbered)


def _mounts(
    rule: Rule, unit: Unit, words: Words, host: Host, around: Surroundings
) -> Iterator[Mount]:
    for mount in rule.resource.mounts:
        path = fill_path(mount.host_path, words)
        if not around.is_there(path, unit, host):
            if not mount.optional:
                raise Incomplete(f"{path} is not there, and is to be mounted")
            continue
        place = path
        if mount.container_path is not None:
            place = fill_path(mount.container_path, words)
        yield Mount(path, place, mount.read_only)


def _check_required(rule: Rule, unit: Unit, words: Words, host: Host, around: Surroundings) -> None:
    for path in (fill_path(each, words) for each in rule.resource.requires):
        if not around.is_there(path, unit, host):
            raise Incomplete(f"{path} is not there, and the resource requires it")


def _topology(
    numa: str | int, lead: Device, functions: Sequence[Device]
) -> Sequence[int] | Auto | None:
    if numa == "none":
        return None
    if numa != "auto":
        return (int(numa),)
    if not lead.syspath:
        return AUTO
    found = {word(each, "numaNode") for each in (lead, *functions)}
    return tuple(sorted(int(each) for each in found if each is not None)) or None


def _card(lead: Device) -> str | None:
    """The physical function that a virtual one is a part of: to spread devices, or to pack them."""
    physical = word(lead, "physfn")
    return str(physical) if physical is not None else None
