"""A plugin that is killed at random moments and started again.

`plugin` is what runs in the process, `hardware` are its devices, `watching` reads the CDI directory
all the time, `killing` puts it together.  ``make kill`` runs it.
"""
