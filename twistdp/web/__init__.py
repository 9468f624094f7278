"""Shows what goes on over HTTP: state, events, metrics, probes, and a page."""

from twistdp.web.lookout import Lookout
from twistdp.web.options import HttpOptions, WebOptions, web_service

# The module `process` is imported when it is asked for: plugins do without it.
__all__ = ["HttpOptions", "Lookout", "WebOptions", "process", "web_service"]
