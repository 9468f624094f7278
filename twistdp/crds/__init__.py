"""The custom resource `DevicePlugin`: what users write, its schema and its rules, as values."""

from twistdp.crds.checking import Checked, check
from twistdp.crds.definition import crd, crd_yaml, rules
from twistdp.crds.meaning import (
    CONFIG_FILE,
    claims,
    config_text,
    needs,
    open_domains,
    options,
    resource_names,
    settings,
)
from twistdp.crds.plugin import GROUP, KIND, PAUSED, PLURAL, VERSION, DevicePlugin
from twistdp.crds.reading import BadObject, read
from twistdp.crds.samples import samples, samples_yaml
from twistdp.crds.spec import DevicePluginSpec

# The package `intel` is imported when it is asked for: the operator converts nothing.
__all__ = [
    "CONFIG_FILE",
    "GROUP",
    "KIND",
    "PAUSED",
    "PLURAL",
    "VERSION",
    "BadObject",
    "Checked",
    "DevicePlugin",
    "DevicePluginSpec",
    "check",
    "claims",
    "config_text",
    "crd",
    "crd_yaml",
    "intel",
    "needs",
    "open_domains",
    "options",
    "read",
    "resource_names",
    "rules",
    "samples",
    "samples_yaml",
    "settings",
]
