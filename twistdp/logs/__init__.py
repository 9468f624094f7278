"""Where log events go: records, lines, outputs, and the service that carries them.

What authors and the framework call is `twistdp.klog`.
"""

from twistdp.logs.service import LoggedService, LogOptions

__all__ = ["LogOptions", "LoggedService"]
