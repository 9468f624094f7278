"""Serves one resource: its devices as bytes, the answers to the kubelet, the scanner's hooks."""

from twistdp.resource.blocked import BlockedWatch
from twistdp.resource.hooks import Hooks
from twistdp.resource.releases import Releases
from twistdp.resource.resource import Resource

__all__ = ["BlockedWatch", "Hooks", "Releases", "Resource"]
