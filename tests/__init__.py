"""The tests.  They run on slow and busy machines, so no property has a limit of time."""

import sys

# A plugin whose scanner is one of the tests imports this, too.
if "twisted.trial.runner" in sys.modules:
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "twistdp", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("twistdp")

    # First of all: with gRPC's fork handlers, processes that tests start die before they begin.
    import twistdp.rpc  # noqa: F401
