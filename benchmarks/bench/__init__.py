"""Measures speed and size of twistdp, a plain plugin and a bare gRPC server in one run.

Contenders are processes (`contenders`; `contrast` and `floor` are run in some, `scanner` in ours).
Each gets a `stage`: a kubelet that takes times (`kubelet`), devices, and its process, which
`process` looks at.  The scenarios are in `starting`, `following`, `allocating` (with `load`, a
process of its own) and `holding`; what they find goes into a `record`, is held against the `goals`,
and becomes a `report` and a `plot`.  ``make bench`` runs it; docs/performance.md tells the rest.
"""
