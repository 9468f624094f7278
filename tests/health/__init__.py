"""Tests for `twistdp.health`."""
