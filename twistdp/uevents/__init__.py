"""Follows what the kernel reports of devices, with one netlink socket for the process."""

from twistdp.uevents.following import Interest, Uevents, uevents_of
from twistdp.uevents.message import EVERY

__all__ = ["EVERY", "Interest", "Uevents", "uevents_of"]
