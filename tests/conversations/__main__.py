"""Random conversations: `python tests/conversations --provider openai --seeds 100 --turns 50`, or `--seed 17` again."""

from __future__ import annotations

import argparse
import logging
import sys
import time
import traceback
from collections import Counter

from conversation_run import PROVIDERS, converse


def main() -> int:
    """Run them; the number of those that failed is 0 or the command fails."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python tests/conversations")
    parser.add_argument("--provider", choices=PROVIDERS, action="append", help="which (all, if not given)")
    parser.add_argument("--seeds", type=int, default=100, help="how many conversations with each (100)")
    parser.add_argument("--seed", type=int, help="this one only, with all that happens")
    parser.add_argument("--turns", type=int, default=50, help="how many turns each has (50)")
    given = parser.parse_args()
    logging.disable()  # of what goes wrong in a conversation
    failed: list[str] = []
    seeds = range(given.seeds) if given.seed is None else [given.seed]
    for provider in given.provider or PROVIDERS:
        began = time.monotonic()
        counts: Counter[str] = Counter()
        for number, seed in enumerate(seeds, 1):
            try:
                watcher = converse(provider, seed, given.turns)
            except Exception:  # noqa: BLE001 - whatever it is, it is shown
                failed.append(f"--provider {provider} --seed {seed} --turns {given.turns}")
                sys.stdout.write(f"\n{traceback.format_exc()}\n")
            else:
                counts.update(watcher.counts)
                if given.seed is not None:
                    sys.stdout.write("\n".join(watcher.log) + "\n")
            if sys.stderr.isatty() or number in (1, len(seeds)) or number % 10 == 0:
                end = "\r" if sys.stderr.isatty() else "\n"
                sys.stderr.write(f"{provider}: {number} of {len(seeds)}, {len(failed)} failed so far{end}")
        took = time.monotonic() - began
        sys.stdout.write(f"\n{provider}: {len(seeds)} conversations of {given.turns} turns in {took:.0f} s\n")
        sys.stdout.writelines(f"  {kind} {count}\n" for kind, count in sorted(counts.items()))
    for command in failed:
        sys.stdout.write(f"failed: python tests/conversations {command}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
