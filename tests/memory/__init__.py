"""The largest lists within the memory that the manifests give; ``make test-memory``."""
