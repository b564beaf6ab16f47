"""Errors of the test kit.

::

    RealtimeError
    ├── ExpectationFailed    (an AssertionError too) the test has failed; the message is for whoever reads its output
    └── InvalidExpectation   the test itself is wrong: what it expects can never be
"""

from realtime_actors.actors import RealtimeError

__all__ = ["ExpectationFailed", "InvalidExpectation"]


class ExpectationFailed(RealtimeError, AssertionError):
    """What a test expected did not come, or something else did."""


class InvalidExpectation(RealtimeError):
    """What a test expects can never be: a type that is no message, a field that it does not have, an empty script."""
