"""The init containers of Intel's plugins: what their images need to configure the hardware."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from twistdp.crds.intel.spec import Body, Spec

MODELS: Final[Mapping[str, str]] = {
    "dh895xccvf": "0434 0435",
    "c4xxxvf": "18a0",
    "c3xxxvf": "19e2",
    "4xxxvf": "4940 4942 4944",
    "420xxvf": "4946",
    "6xxxvf": "4948",
    "c6xxvf": "37c8",
    "d15xxvf": "6f54",
}
"""The kernel's drivers of QuickAssist's virtual functions, with their physical functions' ids."""


@attrs.frozen
class InitContainer:
    """An init container, but for its image."""

    host_paths: Sequence[str] = ()
    privileged: bool = False
    """A privileged one has the node's sysfs, writable, which it configures."""
    variables: Mapping[str, str] = {}
    config: str | None = None
    """Where the ConfigMap `provisioningConfig` is mounted."""
    scratch: str | None = None
    """A directory that may be written to."""

    def field(self, spec: Spec) -> Body:
        """Our field ``initContainer``, if the object has an init container."""
        if not spec.has("initImage"):
            spec.note("provisioningConfig", "it has no effect without initImage: left out")
            return {}
        return {"initContainer": self._body(spec)}

    def _body(self, spec: Spec) -> Body:
        found: Body = {"image": spec.text("initImage")}
        variables = {**self.variables, **_of_fields(spec)}
        if self.privileged:
            found["privileged"] = True
        if variables:
            found["env"] = variables
        if self.host_paths:
            found["hostPaths"] = list(self.host_paths)
        if self.scratch is not None:
            found["scratch"] = self.scratch
        if self.config is not None and spec.has("provisioningConfig"):
            found["configMap"] = spec.text("provisioningConfig")
            found["configMapPath"] = self.config
        return found


def _of_fields(spec: Spec) -> Body:
    """The variables that are made of other fields."""
    found = {}
    if spec.has("driver"):
        found["DSA_DRIVER"] = spec.text("driver")
    if drivers := spec.shapes.texts(spec.fields.get("kernelVfDrivers")):
        found["ENABLED_QAT_PF_PCIIDS"] = " ".join(MODELS.get(each, "") for each in drivers)
    return found


LABELS: Final = InitContainer(["/etc/kubernetes/node-feature-discovery/source.d"])
"""It installs a program that makes labels for Node Feature Discovery."""

FPGA: Final = InitContainer(["/opt/intel/fpga-sw"])
DLB: Final = InitContainer(privileged=True)
QAT: Final = InitContainer(privileged=True, config="/qat-init/conf")
DSA: Final = InitContainer(
    privileged=True,
    variables={"DEVICE_TYPE": "dsa", "DSA_DRIVER": "idxd"},
    config="/idxd-init/conf",
    scratch="/idxd-init/scratch",
)
IAA: Final = InitContainer(
    privileged=True,
    variables={"DEVICE_TYPE": "iaa"},
    config="/idxd-init/conf",
    scratch="/idxd-init/scratch",
)
