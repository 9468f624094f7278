"""Shows what goes on over HTTP: state, events, metrics, probes, and a page."""

from twistdp.web.lookout import Lookout
from twistdp.web.options import WebOptions, web_service

__all__ = ["Lookout", "WebOptions", "web_service"]
