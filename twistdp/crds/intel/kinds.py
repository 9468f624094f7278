"""The eight kinds of Intel's operator, with their fields."""

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from twistdp.crds.intel.devices import catalog, dsa, fpga, gpu, npu, qat, queues, sgx
from twistdp.crds.intel.initial import DLB, DSA, FPGA, IAA, LABELS, QAT, InitContainer
from twistdp.crds.intel.spec import Body, Spec


@attrs.frozen
class Kind:
    """A kind, by its fields beside `COMMON`."""

    fields: tuple[str, ...]
    devices: Callable[[Spec], Body]
    """What selects the devices: fields of a DevicePlugin's ``spec``."""
    initial: InitContainer | None = None
    """What is made of ``initImage``, which the kind has unless this is None."""


COMMON: Final = ("image", "nodeSelector", "tolerations", "logLevel")
"""The fields of every kind."""

KINDS: Final[Mapping[str, Kind]] = {
    "DlbDevicePlugin": Kind(("initImage",), lambda _: catalog({"name": "intel-dlb"}), DLB),
    "DsaDevicePlugin": Kind(
        ("initImage", "provisioningConfig", "driver", "sharedDevNum"),
        dsa,
        DSA,
    ),
    "FpgaDevicePlugin": Kind(("initImage", "mode"), fpga, FPGA),
    "GpuDevicePlugin": Kind(
        (
            "initImage",
            "allowIDs",
            "denyIDs",
            "preferredAllocationPolicy",
            "bypathMode",
            "monitoringMode",
            "sharedDevNum",
            "enableMonitoring",
        ),
        gpu,
        LABELS,
    ),
    "IaaDevicePlugin": Kind(
        ("initImage", "provisioningConfig", "sharedDevNum"),
        lambda spec: queues(spec, "iaa"),
        IAA,
    ),
    "NpuDevicePlugin": Kind(("sharedDevNum",), npu),
    "QatDevicePlugin": Kind(
        (
            "initImage",
            "provisioningConfig",
            "preferredAllocationPolicy",
            "dpdkDriver",
            "kernelVfDrivers",
            "maxNumDevices",
        ),
        qat,
        QAT,
    ),
    "SgxDevicePlugin": Kind(
        ("initImage", "enclaveLimit", "provisionLimit", "dcapInfraResources"), sgx, LABELS
    ),
}
"""By their names, as `deviceplugin.intel.com/v1` has them."""
