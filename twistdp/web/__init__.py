"""Shows what goes on over HTTP: state, events, metrics, probes, and a page."""
