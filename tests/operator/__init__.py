"""Tests for `twistdp.operator`."""
