"""A long run: a plugin process under everything that a node does to it, watched from outside.

`workload`, `devices`, `kubelet` and `strangers` do it to the process, `plugin` is what runs in it,
`sampling` watches, `figures` and `verdict` judge, `report` and `plot` show.  ``make soak`` runs it.
"""
