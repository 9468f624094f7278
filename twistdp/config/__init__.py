"""The configuration file: what a user can say, and what is wrong with what was said."""

from twistdp.config import kinds
from twistdp.config.checks import AnyCheck, AttributeCheck, FileCheck, PresentCheck
from twistdp.config.document import LARGEST
from twistdp.config.fields import Field, Rule, fields_of, key
from twistdp.config.json_schema import default_of, schema
from twistdp.config.loading import load, load_as, load_value, read
from twistdp.config.model import Config, Member, Mount, Resource
from twistdp.config.problems import BadConfig, BadKey, BadKeys, Problem
from twistdp.config.rules import Domain, ResourceType, Word
from twistdp.config.showing import show
from twistdp.config.templates import fill, fill_path, names

# The package `convert` is imported when it is asked for: a plugin needs no converter.
__all__ = [
    "LARGEST",
    "AnyCheck",
    "AttributeCheck",
    "BadConfig",
    "BadKey",
    "BadKeys",
    "Config",
    "Domain",
    "Field",
    "FileCheck",
    "Member",
    "Mount",
    "PresentCheck",
    "Problem",
    "Resource",
    "ResourceType",
    "Rule",
    "Word",
    "convert",
    "default_of",
    "fields_of",
    "fill",
    "fill_path",
    "key",
    "kinds",
    "load",
    "load_as",
    "load_value",
    "names",
    "read",
    "reference_page",
    "schema",
    "show",
]
