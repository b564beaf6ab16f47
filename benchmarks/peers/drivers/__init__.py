"""The peers' drivers: a module for each, run in the peer's own environment, which has nothing of this package.

A driver says how a session is opened (`benchmarks.peers.application`); what is done with it is the same for all.
`own` and the floors do here what those of `benchmarks.provider_path.drivers` do not.
"""
