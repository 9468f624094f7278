"""Shared by the tests: helpers, samples, users, clocks."""
