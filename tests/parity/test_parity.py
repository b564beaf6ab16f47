"""The same scenario gives the same sequence of server events with every provider, but for the exceptions listed."""

from __future__ import annotations

from pathlib import Path

import pytest
from parity_exceptions import EXCEPTIONS, Rule, differences, expect, reference
from parity_providers import PROVIDERS, REFERENCE
from parity_run import play
from parity_scenarios import SCENARIOS
from parity_table import document

import realtime_actors

DOCS = Path(realtime_actors.__file__).parent.parent / "docs" / "providers"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario(scenario: str, provider: str) -> None:
    expected = expect(provider, scenario) if provider != REFERENCE else None
    lines = reference(scenario) if expected is None else expected.lines
    wrong = differences(lines, play(SCENARIOS[scenario], PROVIDERS[provider]))
    assert not wrong, "\n".join(["not as expected (-):", *wrong])


@pytest.mark.parametrize("rule", EXCEPTIONS, ids=lambda rule: rule.reason[:40])
def test_an_exception_is_one_wherever_it_is_said_to_be(rule: Rule) -> None:
    assert set(rule.providers) <= PROVIDERS.keys() - {REFERENCE}
    assert set(rule.scenarios) <= SCENARIOS.keys()
    for provider in rule.providers:
        used = [name for name in SCENARIOS if rule in expect(provider, name).rules]
        assert used
        assert not rule.scenarios or used == [name for name in SCENARIOS if name in rule.scenarios]


def test_the_document_is_what_the_command_prints() -> None:
    assert (DOCS / "parity.md").read_text(encoding="utf-8") == document()


class TestTheComparison:
    """It would find what it is there to find."""

    def test_what_is_not_listed_is_a_difference(self) -> None:
        assert differences(["a", "b"], ["a", "b"]) == []
        assert differences(["a", "b"], ["a"]) == ["  a", "- b"]
        assert differences(["a", "b {any}"], ["a", "b anything"]) == []
        assert differences(["a b"], ["a b c"])

    def test_rules_rewrite_each_place(self) -> None:
        rule = Rule(reason="", providers=(), old=["one {x}", "*", "two {y}"], new=["two {y}", "*", "one {x} {any}"])
        assert rule.rewrite(["zero", "one a", "between", "two b", "one c", "two d", "one e"]) == (
            ["zero", "two b", "between", "one a {any}", "two d", "one c {any}", "one e"]
        )

    def test_a_rule_that_does_not_fit_changes_nothing(self) -> None:
        rule = Rule(reason="", providers=(), old=["one", "two"], new=["three"])
        assert rule.rewrite(["one", "one", "three"]) == ["one", "one", "three"]
