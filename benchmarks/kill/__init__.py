"""A plugin that is killed at random moments and started again.

`plugin` runs in the process, `hardware` changes its devices, `watching` reads the CDI directory all
the time, and `killing` combines them.  ``make kill`` runs it.
"""
