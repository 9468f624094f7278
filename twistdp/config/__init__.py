"""The configuration file: what a user can say, and what is wrong with what was said."""

from twistdp.config.load import check, load
from twistdp.config.model import Config, Resource
from twistdp.config.problems import BadConfig, Problem
from twistdp.config.templates import fill

__all__ = ["BadConfig", "Config", "Problem", "Resource", "check", "fill", "load"]
