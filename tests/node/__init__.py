"""Acceptance on a node with a real kubelet, through kubectl: see `tests.node.cluster`."""
