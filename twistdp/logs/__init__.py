"""Where log events go: records, lines, outputs, and the service that carries them.

What authors and the framework call is `twistdp.klog`.
"""
