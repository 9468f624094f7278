"""A long run: a plugin process with all that happens on a node, watched from outside.

`workload`, `devices`, `restarts` and `strangers` act on the process, `plugin` runs in it,
`sampling` watches it, `figures` and `verdict` judge, `report` and `plot` show the results.
``make soak`` runs it.
"""
