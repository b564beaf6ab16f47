"""`python tests/parity` prints docs/providers/parity.md; with a scenario and a provider, what an agent publishes."""

from __future__ import annotations

import logging
import sys

from parity_exceptions import differences, expect
from parity_providers import PROVIDERS
from parity_run import play
from parity_scenarios import SCENARIOS
from parity_table import document

logging.disable()  # of what goes wrong in a scenario
match sys.argv[1:]:
    case []:
        sys.stdout.write(document())
    case [scenario, provider] if scenario in SCENARIOS and provider in PROVIDERS:
        seen = play(SCENARIOS[scenario], PROVIDERS[provider])
        sys.stdout.write("\n".join(seen) + "\n")
        wrong = differences(expect(provider, scenario).lines, seen)
        if wrong:
            sys.exit("\n".join(["", "This is not what is expected of it:", *wrong]))
    case _:
        sys.exit(f"usage: python tests/parity [SCENARIO PROVIDER]\n{' '.join(SCENARIOS)}\n{' '.join(PROVIDERS)}")
