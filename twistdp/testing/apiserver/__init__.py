"""A fake Kubernetes API server, small and of our own, for tests of controllers."""

from twistdp.testing.apiserver.calls import Answer, Asked
from twistdp.testing.apiserver.faults import ApiFault
from twistdp.testing.apiserver.kinds import Kind
from twistdp.testing.apiserver.objects import Objects
from twistdp.testing.apiserver.playing import Cluster
from twistdp.testing.apiserver.record import ApiCall
from twistdp.testing.apiserver.refusals import ApiRefused
from twistdp.testing.apiserver.server import ApiServer
from twistdp.testing.apiserver.watches import Watch

__all__ = [
    "Answer",
    "ApiCall",
    "ApiFault",
    "ApiRefused",
    "ApiServer",
    "Asked",
    "Cluster",
    "Kind",
    "Objects",
    "Watch",
]
