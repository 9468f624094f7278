"""Tests for `twistdp.config.convert`."""
