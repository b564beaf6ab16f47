"""What all tests share."""

from hypothesis import HealthCheck, settings

# How fast examples are made and run says something of the machine, and nothing of the code. Fewer than the usual 100,
# since there are some hundred properties; those that need many say so themselves.
settings.register_profile("any machine", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
