"""The devices of a host and what they are: one vocabulary, conditions with reasons, stable ids."""

from twistdp.select.access import GROUP, MODE, OWNER, Access, access
from twistdp.select.buses import bus_device, pci_device, place, usb_device, usb_interface
from twistdp.select.device import Device
from twistdp.select.explaining import Cause, Explanation, IExplains, Step, Verdict, called
from twistdp.select.groups import (
    OF_CARDS,
    card,
    group_of,
    iommu_group,
    is_bridge,
    is_unbound,
    nodes_below,
    unready,
)
from twistdp.select.host import Host
from twistdp.select.ids import default_id, stable_path
from twistdp.select.kinds import KINDS, belonging, functions, heads, is_keyboard, judged
from twistdp.select.match import Match
from twistdp.select.naming import path_expressions
from twistdp.select.outcome import Outcome, about, all_of, any_of, negated
from twistdp.select.patterns import is_glob, path_pattern, text_pattern
from twistdp.select.plain import device_at, plain_device, plain_step
from twistdp.select.reading import Undecidable, read_bytes, read_link
from twistdp.select.refresh import Refreshed, refresh
from twistdp.select.serials import is_placeholder, usb_serial, why_no_serial
from twistdp.select.udevline import UdevLine, parse_udev
from twistdp.select.vocabulary import WORDS, describe, word

__all__ = [
    "GROUP",
    "KINDS",
    "MODE",
    "OF_CARDS",
    "OWNER",
    "WORDS",
    "Access",
    "Cause",
    "Device",
    "Explanation",
    "Host",
    "IExplains",
    "Match",
    "Outcome",
    "Refreshed",
    "Step",
    "UdevLine",
    "Undecidable",
    "Verdict",
    "about",
    "access",
    "all_of",
    "any_of",
    "belonging",
    "bus_device",
    "called",
    "card",
    "default_id",
    "describe",
    "device_at",
    "functions",
    "group_of",
    "heads",
    "iommu_group",
    "is_bridge",
    "is_glob",
    "is_keyboard",
    "is_placeholder",
    "is_unbound",
    "judged",
    "negated",
    "nodes_below",
    "parse_udev",
    "path_expressions",
    "path_pattern",
    "pci_device",
    "place",
    "plain_device",
    "plain_step",
    "read_bytes",
    "read_link",
    "refresh",
    "stable_path",
    "text_pattern",
    "unready",
    "usb_device",
    "usb_interface",
    "usb_serial",
    "why_no_serial",
    "word",
]
