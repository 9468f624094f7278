"""For tests of plugins, yours and ours: a kubelet to run them against."""

from twistdp.testing.kubelet import AdmissionRefused, FakeKubelet, NodeResource, Registration

__all__ = ["AdmissionRefused", "FakeKubelet", "NodeResource", "Registration"]
