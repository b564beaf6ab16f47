"""Random conversations with every provider: what has to hold of every event holds, whatever happens."""

from __future__ import annotations

import pytest
from conversation_run import PROVIDERS, converse, converse_on_sockets

TURNS = 50
SEEDS = 10


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_random_conversation(provider: str, seed: int) -> None:
    converse(provider, seed, TURNS)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_random_conversation_on_sockets(provider: str) -> None:
    await converse_on_sockets(provider, 1, 12)


def test_a_seed_gives_the_same_conversation_again() -> None:
    first, second = converse("openai", 1, 10), converse("openai", 1, 10)
    assert [line for line in first.log if "the user" in line] == [line for line in second.log if "the user" in line]
    assert first.counts == second.counts
