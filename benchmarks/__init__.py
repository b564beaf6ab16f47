"""What the package costs, measured: `python -m benchmarks --help`.

Each number is a ratio to a baseline of the same run: the rounds of all contestants are interleaved, so that what
the machine does meanwhile hits all of them. `docs/benchmarks.md` says what each benchmark does.
"""
