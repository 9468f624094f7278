"""CDI, the Container Device Interface: values for authors, spec files, and the service for them."""

from typing import TYPE_CHECKING

from twistdp.cdi.service import CdiParts, Leftovers

if TYPE_CHECKING:
    from twistdp.model import CDIDevice, CDIHook, CDIIntelRdt, CDIMount, CDINetDevice, CDINode
else:

    def __getattr__(name):
        """Leave it to `twistdp.model` to import what CDI parts are made of."""
        if name in __all__:
            from twistdp import model

            return getattr(model, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CDIDevice",
    "CDIHook",
    "CDIIntelRdt",
    "CDIMount",
    "CDINetDevice",
    "CDINode",
    "CdiParts",
    "Leftovers",
]
