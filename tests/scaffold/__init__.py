"""Tests for `twistdp.scaffold`; `whole`, which needs a package index, is run by itself."""
