"""A catalogue of devices that many people have: configurations to use as they are, or to change."""

from twistdp.catalog.loading import chosen, load
from twistdp.catalog.shelf import Shelf

__all__ = ["Shelf", "chosen", "load"]
