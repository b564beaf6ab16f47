"""The contestants of the provider's path: a module for each, run in a process of its own.

A module has `listen(port, sessions, heard)`: it opens so many sessions to the provider at `ws://127.0.0.1:<port>`,
asks each for a reply, and calls `heard` with each delta's audio (PCM16) where an application would have it. It may
have `speak(port, sessions, pace)`: each session gives the provider the pieces of audio that `pace` has for it; and
`relay(port, listening)`: it takes frontends, calls `listening` with its port, and gives each one a session with the
provider, whose deltas go there as `agent_response_audio_delta` after an `agent_ready`. With
`broadcast(port, agents, frontends, listening)` so many sessions have as many frontends each: the n-th that comes is one
of the session n modulo `agents`, and when all are there, each session asks for a reply. `rooms(port, agents, people,
rooms, listening)` is the same with several sessions, all of which so many frontends in each room hear.

All run until the process is ended. A module of this kind is all that a peer needs to take part.
"""
