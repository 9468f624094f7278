"""Tests for `twistdp.deployment`."""
