"""Converts other tools' configurations to ours: their names of resources and variables stay.

What our format cannot say is reported, and what it cannot take is refused with all problems.
"""

from twistdp.config.convert.converting import TOOLS, convert, recognised
from twistdp.config.convert.report import Converted

__all__ = ["TOOLS", "Converted", "convert", "recognised"]
