"""Measures speed and size of twistdp, a plain plugin and a bare gRPC server in one run.

Contenders are processes (`contenders`; `contrast` and `floor` are run in some, `scanner` in ours).
Each gets a `stage`: a kubelet that takes times (`kubelet`), devices, and its process, which
`process` looks at.  The scenarios are in `starting`, `following`, `allocating` (with `load`, a
process of its own), `holding` and `declared` (with the host of `adapters`, which the scanners of
`configured` and `byhand` look at); what they find goes into a `record`, is held against the
`goals`, and becomes a `report` and a `plot`.  ``make bench`` runs it, and docs/performance.md says
what the figures mean.
"""
