"""CDI, the Container Device Interface: spec files, and the service for them."""

from twistdp.cdi.service import CdiParts, clean_leftovers, report_unless_cancelled

__all__ = ["CdiParts", "clean_leftovers", "report_unless_cancelled"]
