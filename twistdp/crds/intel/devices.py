"""Which devices an object of each of Intel's kinds means: fields of a DevicePlugin's ``spec``.

A field that is left out has the meaning that Intel's operator gives it, which is written out where
ours has another default.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from twistdp.crds.intel.initial import MODELS
from twistdp.crds.intel.spec import Body, Spec

_ID: Final = re.compile("0x[0-9a-f]{4}")
_BYPATH: Final[Mapping[str, Sequence[Body]]] = {
    "none": (),
    "all": ({"hostPath": "/dev/dri/by-path", "readOnly": True, "optional": True},),
}
_POLICIES: Final = {"none": "spread", "balanced": "spread", "packed": "packed"}
_DEBUG: Final = "/sys/kernel/debug"


def catalog(*items: Body) -> Body:
    """Entries of the catalogue."""
    return {"catalog": list(items)}


def _item(name: str, **arguments: Sequence[object]) -> Body:
    given = {key: [str(each) for each in values] for key, values in arguments.items()}
    return {"name": name, "arguments": given}


def _config(spec: Spec, domain: str, resources: Mapping[str, Body]) -> Body:
    return {"config": {"domain": spec.domain or domain, "resources": dict(resources)}}


def _shared(count: int) -> Body:
    """The keys of a resource whose devices so many containers share."""
    return {"replicas": {"count": count, "morePerContainer": True}} if count > 1 else {}


def gpu(spec: Spec) -> Body:
    """GpuDevicePlugin: cards by driver, and all of them for monitoring."""
    count = spec.count("sharedDevNum", 1)
    policy = spec.word("preferredAllocationPolicy", "none", "balanced", "packed")
    mode = spec.word("monitoringMode", "single", "split")
    bypath = spec.word("bypathMode", "single", "none", "all")
    keys: Body = {}
    if count > 1:
        keys["preferred"] = _POLICIES.get(policy, policy)
    elif policy != "none":
        spec.note("preferredAllocationPolicy", "it has no effect unless sharedDevNum is 2 or more")
    monitoring = []
    if spec.flag("enableMonitoring"):
        monitoring = [
            "intel-gpu-monitoring-split" if mode == "split" else "intel-gpu-monitoring",
        ]
    else:
        spec.note("monitoringMode", "it has no effect without enableMonitoring: true")
    chosen: Body = {
        key: ids
        for key, field in (("allow", "allowIDs"), ("deny", "denyIDs"))
        if (ids := _ids(spec, field))
    }
    if bypath in _BYPATH:
        chosen["mounts"] = list(_BYPATH[bypath])
    if not chosen:
        gpus: Body = {"name": "intel-gpu", **keys}
        if count > 1:
            gpus |= {"replicas": count, "morePerContainer": True}
        return catalog(gpus, *({"name": name} for name in monitoring))
    resources = {
        driver: {"use": f"intel-gpu/{driver}", **chosen, **_shared(count), **keys}
        for driver in ("i915", "xe")
    }
    if monitoring and mode == "split":
        names = ("i915_monitoring", "xe_monitoring")
        resources |= {name: {"use": f"{monitoring[0]}/{name}"} for name in names}
    elif monitoring:
        resources["monitoring"] = {"use": monitoring[0]}
    return _config(spec, "gpu.intel.com", resources)


def _ids(spec: Spec, key: str) -> list[str]:
    """The ids in a text with commas between them."""
    text = spec.text(key)
    found = text.split(",") if text else []
    for each in found:
        if not _ID.fullmatch(each):
            spec.problem(key, f"{each!r} is no id of a PCI device, as 0x56c0; commas separate them")
    return found


def npu(spec: Spec) -> Body:
    """NpuDevicePlugin."""
    count = spec.count("sharedDevNum", 1)
    more: Body = {"replicas": count, "morePerContainer": True} if count > 1 else {}
    return catalog({"name": "intel-npu", **more})


def dsa(spec: Spec) -> Body:
    """DsaDevicePlugin: work queues, or whole accelerators with vfio-pci."""
    if spec.word("driver", "idxd", "vfio-pci") == "idxd":
        return queues(spec, "dsa")
    if spec.count("sharedDevNum", 1) > 1:
        spec.note("sharedDevNum", "it has no effect with driver: vfio-pci")
    return catalog({"name": "intel-dsa-vfio"})


def queues(spec: Spec, family: str) -> Body:
    """Work queues; several containers share one where it is a shared queue."""
    count = spec.count("sharedDevNum", 1)
    entry = f"intel-{family}"
    if count == 1:
        return catalog({"name": entry})
    resources = {
        name: {"use": f"{entry}/{name}", **(_shared(count) if name.endswith("shared") else {})}
        for user in ("user", "kernel")
        for name in (f"wq-{user}-shared", f"wq-{user}-dedicated")
    }
    return _config(spec, f"{family}.intel.com", resources)


def qat(spec: Spec) -> Body:
    """QatDevicePlugin: virtual functions."""
    drivers = spec.shapes.texts(spec.fields.get("kernelVfDrivers")) or ["c6xxvf", "4xxxvf"]
    for each in drivers:
        if each not in MODELS:
            spec.problem("kernelVfDrivers", f"{each!r} is none of {', '.join(MODELS)}")
    driver = spec.word("dpdkDriver", "vfio-pci", "igb_uio")
    policy = spec.word("preferredAllocationPolicy", "", "balanced", "packed")
    limit = spec.count("maxNumDevices", 32)
    if driver == "igb_uio" or not spec.has("initImage"):
        spec.remark(
            f"Intel's plugin binds virtual functions to {driver} by itself; here they must be "
            "bound before the plugin starts: docs/intel.md says how"
        )
    item = _item("intel-qat", kernel_vf_drivers=drivers, driver=[driver], limit=[limit])
    more: Body = {"preferred": _POLICIES.get(policy, policy)} if policy else {}
    return {**catalog(item), **more, "security": {"hostPaths": [_DEBUG]}}


def sgx(spec: Spec) -> Body:
    """SgxDevicePlugin: as many enclaves as are said."""
    enclave, provision = spec.count("enclaveLimit", 1), spec.count("provisionLimit", 1)
    item = _item("intel-sgx", enclave_limit=[enclave], provision_limit=[provision])
    if not spec.flag("dcapInfraResources"):
        return catalog(item)
    return {**catalog(item, {"name": "intel-sgx-dcap"}), "cdi": {"enabled": True}}


def fpga(spec: Spec) -> Body:
    """FpgaDevicePlugin."""
    mode = spec.word("mode", "af", "region", "regiondevel")
    spec.remark(
        "the annotation fpga.intel.com/device-plugin-mode of nodes is not read, since the plugin "
        "may not ask the API server; make a DevicePlugin with a nodeSelector for each mode"
    )
    more: Body = {"cdi": {"enabled": True}} if mode == "region" else {}
    return {**catalog(_item("intel-fpga", mode=[mode])), **more}
