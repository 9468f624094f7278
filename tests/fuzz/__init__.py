"""Bad input, from the wire and from disk: nothing of it may end, block or blind the plugin.

The test modules here are a part of the normal suite.  ``make fuzz`` runs the targets of
`tests.fuzz.targets` longer, guided by coverage.
"""

import twistdp.rpc  # noqa: F401  # sets what gRPC writes to stderr, before anybody imports that
