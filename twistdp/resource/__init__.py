"""Serves one resource: its devices as bytes, the answers to the kubelet, the scanner's hooks."""

from twistdp.resource.resource import Resource

__all__ = ["Resource", "blocked", "hooks", "releases"]
