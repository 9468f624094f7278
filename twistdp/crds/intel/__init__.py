"""Converts the custom resources of Intel's operator to `DevicePlugin` objects."""

from twistdp.crds.intel.converting import TOOL, convert_intel, is_intels
from twistdp.crds.intel.kinds import COMMON, KINDS, Kind

__all__ = ["COMMON", "KINDS", "TOOL", "Kind", "convert_intel", "is_intels"]
