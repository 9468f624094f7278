"""Tests of what is shown over HTTP."""
