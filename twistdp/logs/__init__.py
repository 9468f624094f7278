"""Where log events go: records, lines, outputs, and the service that writes them.

Authors and the framework log with `twistdp.klog`.
"""

from twistdp.logs.service import LoggedService, LogOptions

__all__ = ["LogOptions", "LoggedService"]
