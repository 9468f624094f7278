"""Tests for `twistdp.scanners.declared`."""
