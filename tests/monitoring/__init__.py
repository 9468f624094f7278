"""Tests of `deploy/monitoring`."""
