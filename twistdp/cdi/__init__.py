"""CDI, the Container Device Interface: values for authors, spec files, and the service for them."""

from twistdp.cdi.service import CdiParts, clean_leftovers, report_unless_cancelled
from twistdp.model import CDIDevice, CDIHook, CDIIntelRdt, CDIMount, CDINetDevice, CDINode

__all__ = [
    "CDIDevice",
    "CDIHook",
    "CDIIntelRdt",
    "CDIMount",
    "CDINetDevice",
    "CDINode",
    "CdiParts",
    "clean_leftovers",
    "report_unless_cancelled",
]
