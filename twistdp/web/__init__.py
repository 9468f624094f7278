"""Shows what goes on over HTTP: state, events, metrics, probes, and a page."""

from twistdp.web.options import WebOptions, web_service

__all__ = ["WebOptions", "web_service"]
