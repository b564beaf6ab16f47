"""The table of docs/providers/parity.md."""

from __future__ import annotations

from collections.abc import Mapping

from parity_exceptions import EXCEPTIONS, Rule, expect
from parity_providers import PROVIDERS, REFERENCE
from parity_scenarios import SCENARIOS

__all__ = ["document"]

INTRODUCTION = """\
# The same conversation with every provider

What an agent publishes does not depend on who provides its model, but for what is listed here. Each row is a scenario
(a file of `tests/parity/scenarios`: what a brain says, and what a user does), played with an agent against the
simulator of each provider's wire. The sequence of the agent's [events](../events.md), their types, statuses and texts,
is compared with that of [{reference}]({page}).

- **same**: it is the same, event for event, but for what holds in all of a column;
- **a number**: it differs as the note says, and in nothing else;
- **no**: the provider cannot do it, and an error says so.

Not compared are ids, times, tokens and audio; how many pieces a text comes in; how the pieces of a reply's speech and
of its words alternate; and how much was said of a reply that was cut short. Where a wire leaves open when the user's
words are told, the simulators tell them before the reply.

This page is printed by `python tests/parity`, and a test plays all of it: it fails for a difference that is not listed,
and for one that is listed and is not there. `python tests/parity <scenario> <provider>` prints one sequence.
"""


def document() -> str:
    """The whole page."""
    letters = {rule.reason: chr(ord("a") + number) for number, rule in enumerate(filter(_everywhere, EXCEPTIONS))}
    numbers: dict[str, int] = {}
    rows: list[str] = []
    for name, scenario in SCENARIOS.items():
        cells = [_cell(provider, name, numbers) for provider in PROVIDERS if provider != REFERENCE]
        rows.append(f"| {scenario.title} | {' | '.join(cells)} |")
    heads = [_head(provider, letters) for provider in PROVIDERS if provider != REFERENCE]
    return "\n".join(
        [
            INTRODUCTION.format(reference=PROVIDERS[REFERENCE].title, page=PROVIDERS[REFERENCE].page),
            f"| | {' | '.join(heads)} |",
            "|---|" + "---|" * len(heads),
            *rows,
            "",
            "In all of a column:",
            "",
            *(f"- **{letter}** {reason}" for reason, letter in letters.items()),
            "",
            "Where there is a number:",
            "",
            *(f"{number}. {reason}" for reason, number in numbers.items()),
            "",
            f"The models are {', '.join(f'`{each.model.model_name}` ({each.title})' for each in PROVIDERS.values())}.",
            "",
        ]
    )


def _everywhere(rule: Rule) -> bool:
    return rule.everywhere


def _head(provider: str, letters: Mapping[str, str]) -> str:
    found = [letters[rule.reason] for rule in EXCEPTIONS if rule.everywhere and provider in rule.providers]
    link = f"[{PROVIDERS[provider].title}]({PROVIDERS[provider].page})"
    return f"{link} {', '.join(found)}".rstrip()


def _cell(provider: str, scenario: str, numbers: dict[str, int]) -> str:
    """New reasons get the next number."""
    rules = [rule for rule in expect(provider, scenario).rules if not rule.everywhere]
    if not rules:
        return "same"
    notes = ", ".join(map(str, sorted({numbers.setdefault(rule.reason, len(numbers) + 1) for rule in rules})))
    return f"no: {notes}" if any(rule.cannot for rule in rules) else notes
