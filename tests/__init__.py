"""The tests.  They run on slow and busy machines, so no property has a limit of time."""

import sys

if "twisted.trial" in sys.modules:  # and not a plugin whose scanner is a test's
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "twistdp", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("twistdp")
