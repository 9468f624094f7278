"""Tests for `twistdp.doctor`."""
