"""The documentation: everything in it is run, or compared with what it tells of."""
