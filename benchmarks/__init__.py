"""Measurements of twistdp, not part of what is installed."""
