"""Makes our services known to twistd; their modules are imported only when they are asked for."""

import gc
from typing import Any

from twisted.application.service import ServiceMaker


class _Maker(ServiceMaker):
    """Imports the tap module without looking for garbage meanwhile, which takes a twentieth of it.

    Nearly all objects that imports make are modules, classes and functions, which stay.  The
    collector never looks at them again.
    """

    @property
    def options(self) -> Any:
        """The command line's options."""
        collects = gc.isenabled()
        gc.disable()
        try:
            return super().options
        finally:
            gc.freeze()
            if collects:
                gc.enable()


deviceplugin = _Maker(
    "twistdp",
    "twistdp.tap",
    "Serve this node's devices to the kubelet as Kubernetes resources.",
    "deviceplugin",
)

deviceplugin_operator = _Maker(
    "twistdp operator",
    "twistdp.operator.tap",
    "Run the device plugins that DevicePlugin objects of a cluster ask for.",
    "deviceplugin-operator",
)
