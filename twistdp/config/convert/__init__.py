"""Converts other tools' configurations to ours: their names of resources and variables stay.

What our format cannot say is reported, and what it cannot take is refused with all problems.
"""

from twistdp.config.convert.converting import TOOLS, convert, hinted, recognised
from twistdp.config.convert.finding import Place, Places
from twistdp.config.convert.report import Converted, Report
from twistdp.config.convert.shapes import Field, Fields, Shapes
from twistdp.config.document import Mapping, Mark

# What reads foreign files is exported for objects of Kubernetes that are no configuration.
__all__ = [
    "TOOLS",
    "Converted",
    "Field",
    "Fields",
    "Mapping",
    "Mark",
    "Place",
    "Places",
    "Report",
    "Shapes",
    "convert",
    "hinted",
    "recognised",
]
