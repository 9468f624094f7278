"""Tests for `twistdp.config`."""
