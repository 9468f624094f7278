"""The configuration file: what a user can say, and what is wrong with what was said."""

from twistdp.config.document import LARGEST
from twistdp.config.json_schema import schema
from twistdp.config.loading import load, read
from twistdp.config.model import Config, Member, Mount, Resource
from twistdp.config.problems import BadConfig, Problem
from twistdp.config.showing import show
from twistdp.config.templates import fill, names

__all__ = [
    "LARGEST",
    "BadConfig",
    "Config",
    "Member",
    "Mount",
    "Problem",
    "Resource",
    "fill",
    "load",
    "names",
    "read",
    "schema",
    "show",
]
