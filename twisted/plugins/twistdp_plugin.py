"""Makes ``twistd deviceplugin`` known; the tap module is imported only when it is asked for."""

from twisted.application.service import ServiceMaker

deviceplugin = ServiceMaker(
    "twistdp",
    "twistdp.tap",
    "Serve this node's devices to the kubelet as Kubernetes resources.",
    "deviceplugin",
)
