"""Tests for `twistdp.crds`."""
