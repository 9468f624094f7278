"""Tests for `twistdp.catalog`."""
