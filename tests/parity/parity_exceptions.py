"""The table of exceptions: how a provider's sequence differs from the reference's, where, and why.

Each exception rewrites the reference's lines into those that are expected of a provider: wherever the lines of `old`
stand, one after another, those of `new` are expected. In a line `{name}` is any text, the same in both (`{any}` in
`new` is any text at all); a line `*` is any lines, as few as possible. One that names no `scenarios` holds wherever its
lines stand. `cannot`: the provider refuses what the scenario is about. `everywhere`: it is about the provider, not a
scenario.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import ndiff
from functools import cache
from pathlib import Path

import attrs
from parity_providers import PROVIDERS, REFERENCE
from parity_run import play
from parity_scenarios import SCENARIOS

__all__ = ["EXCEPTIONS", "Expected", "Rule", "differences", "expect", "reference"]

_PLACE = re.compile(r"\{(\w+)\}")


@attrs.frozen(kw_only=True)
class Rule:
    """An exception. `reason` is Markdown, for those who use the providers."""

    reason: str
    providers: Sequence[str]
    old: Sequence[str]
    new: Sequence[str]
    scenarios: Sequence[str] = ()
    cannot: bool = False
    everywhere: bool = False

    def concerns(self, provider: str, scenario: str) -> bool:
        return provider in self.providers and scenario in (self.scenarios or SCENARIOS)

    def rewrite(self, lines: Sequence[str]) -> list[str]:
        """The lines with `new` wherever `old` stood."""
        rewritten: list[str] = []
        at = 0
        while at < len(lines):
            found = _match(self.old, lines, at)
            if found is None:
                rewritten.append(lines[at])
                at += 1
            else:
                at, between, texts = found
                rewritten += _fill(self.new, between, texts)
        return rewritten


def _match(
    patterns: Sequence[str], lines: Sequence[str], at: int
) -> tuple[int, Sequence[str], Mapping[str, str]] | None:
    """Whether the patterns match from here: where that ends, the lines for `*`, the texts for places."""
    if not patterns:
        return at, (), {}
    if patterns[0] == "*":
        for end in range(at, len(lines) + 1):
            found = _match(patterns[1:], lines, end)
            if found is not None:
                return found[0], lines[at:end], found[2]
        return None
    texts = re.fullmatch(_expression(patterns[0]), lines[at]) if at < len(lines) else None
    rest = _match(patterns[1:], lines, at + 1) if texts is not None else None
    if texts is None or rest is None:
        return None
    return rest[0], rest[1], {**rest[2], **texts.groupdict()}


def _expression(pattern: str) -> str:
    literal_and_names = _PLACE.split(pattern)
    return "".join(f"(?P<{part}>.*)" if odd % 2 else re.escape(part) for odd, part in enumerate(literal_and_names))


def _fill(new: Sequence[str], between: Sequence[str], texts: Mapping[str, str]) -> list[str]:
    filled: list[str] = []
    for line in new:
        filled += between if line == "*" else [_PLACE.sub(lambda place: texts.get(place[1], place[0]), line)]
    return filled


def _load(path: Path) -> list[Rule]:
    return [Rule(**table) for table in tomllib.loads(path.read_text(encoding="utf-8"))["exceptions"]]


EXCEPTIONS: Sequence[Rule] = _load(Path(__file__).with_name("exceptions.toml"))
"""In the order in which they are applied."""


@cache
def reference(scenario: str) -> Sequence[str]:
    """The sequence that the others are compared with."""
    return play(SCENARIOS[scenario], PROVIDERS[REFERENCE])


@attrs.frozen
class Expected:
    """What a provider is expected to give, and the exceptions that make it so."""

    lines: Sequence[str]
    rules: Sequence[Rule]


def expect(provider: str, scenario: str) -> Expected:
    """The reference's sequence with the provider's exceptions."""
    lines: Sequence[str] = reference(scenario)
    used: list[Rule] = []
    for rule in EXCEPTIONS:
        if rule.concerns(provider, scenario):
            rewritten = rule.rewrite(lines)
            if rewritten != lines:
                lines = rewritten
                used.append(rule)
    return Expected(lines, used)


def differences(expected: Sequence[str], seen: Sequence[str]) -> list[str]:
    """What was seen, line by line, with `-` and `+` where something else was expected; nothing if all is as it."""
    if len(expected) == len(seen) and all(map(_fits, expected, seen)):
        return []
    return [line for line in ndiff(expected, seen) if not line.startswith("?")]


def _fits(expected: str, seen: str) -> bool:
    return re.fullmatch(re.escape(expected).replace(re.escape("{any}"), ".*"), seen) is not None
