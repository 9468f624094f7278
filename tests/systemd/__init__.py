"""The unit under a real systemd: see `tests.systemd.machine`."""
