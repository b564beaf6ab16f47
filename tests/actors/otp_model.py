"""A plain model of supervision, written from the rules that OTP documents for its `supervisor`.

It knows nothing of the kernel's code. What the kernel's contract has otherwise than OTP is so here:

- A transient child that ended normally, and whatever was asked to stop, is gone for good. (OTP keeps the
  specification of one that is not temporary, and starts it again when its whole group is.)
- There is a backoff between restarts. It begins anew after a quiet time, counted from the last restart to the next
  end; a start that fails is no quiet time.
- A child of the root has a budget of its own, and when that is spent only this child ends.

Times are seconds, and dyadic fractions: they add up exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from realtime_actors.actors import RestartType, Strategy

PERIOD_OF_QUIET = 16.0


@attrs.define
class Rules:
    """One supervisor's memory: its children in the order of their start, who of them is up, and its restarts."""

    strategy: Strategy
    max_restarts: int
    within: float
    first_delay: float
    longest_delay: float
    children: dict[str, RestartType]
    up: set[str] = attrs.field(factory=set[str])
    restarts: list[float] = attrs.field(factory=list[float])
    attempts: int = 0
    last_restart: float | None = None

    def ended(self, name: str, how: str, now: float) -> list[str] | None:
        """What to do, word by word, when a child ended; None to give up.

        `how` is normal, stopped, crashed or start_failed (of a restart).
        """
        self.up.discard(name)
        if not self._has_to_be_restarted(name, how):
            del self.children[name]
            return [f"forget {name}"]
        # "If more than MaxR restarts occur within the last MaxT seconds, the supervisor terminates."
        self.restarts.append(now)
        if len([at for at in self.restarts if at >= now - self.within]) > self.max_restarts:
            return None
        delay = self._delay(how, now)
        together = self._restarted_together_with(name)
        # "terminated in the reverse order of their start …
        steps = [f"stop {child}" for child in reversed(together) if child in self.up]
        # … a temporary child is never restarted, also not with its group …
        for child in together:
            if child in self.up and self.children[child] == "temporary":
                steps.append(f"forget {child}")
                del self.children[child]
        # … and then started in their order."
        for child in together:
            self.up.discard(child)
            # A temporary one that ended at the same time is dealt with when its own turn comes.
            if self.children.get(child, "temporary") != "temporary":
                steps.append(f"start {child} after {delay}")
        return steps

    def _has_to_be_restarted(self, name: str, how: str) -> bool:
        if how == "start_failed":
            return True
        if how == "stopped":
            return False
        return self.children[name] == "permanent" or (self.children[name] == "transient" and how == "crashed")

    def _restarted_together_with(self, name: str) -> list[str]:
        names = list(self.children)
        if self.strategy == "one_for_one":
            return [name]
        if self.strategy == "one_for_all":
            return names
        return names[names.index(name) :]

    def _delay(self, how: str, now: float) -> float:
        quiet = self.last_restart is None or now - self.last_restart >= PERIOD_OF_QUIET
        if quiet and how != "start_failed":
            self.attempts = 0
        delay = self.first_delay
        for _ in range(self.attempts):
            delay *= 2
        delay = min(delay, self.longest_delay)
        self.attempts += 1
        self.last_restart = now + delay
        return delay


# -- a whole tree


@attrs.frozen
class Node:
    """An actor of the tree. One with a strategy supervises `children`."""

    name: str
    restart: RestartType
    strategy: Strategy | None = None
    max_restarts: int = 1
    within: float = 8.0
    first_delay: float = 0.0
    """Of the restarts of its children; of a node at the root, of its own restarts as well."""
    children: tuple[Node, ...] = ()

    def paths(self, prefix: str = "") -> Iterator[str]:
        """Its own and those below it, in the order of their start."""
        path = f"{prefix}{self.name}"
        yield path
        for child in self.children:
            yield from child.paths(f"{path}.")


@attrs.define(eq=False)
class Place:
    """Where a node lives: what outlasts its restarts."""

    node: Node
    path: str
    above: Family
    lives: int = 0
    below: Family | None = None

    @property
    def up(self) -> bool:
        return self.node.name in self.above.rules.up


@attrs.define(eq=False)
class Family:
    """The children of one life of a supervisor; or one child of the root."""

    rules: Rules
    owner: Place | None
    places: dict[str, Place] = attrs.field(factory=dict[str, Place])
    due: dict[str, float] = attrs.field(factory=dict[str, float])


class StartFailed(Exception):
    """A start was made to fail."""


class World:
    """What happens in trees of actors, one thing after the other."""

    def __init__(self) -> None:
        self.now = 0.0
        self.log: list[str] = []
        """What the actors' hooks see: `p started`, `p stopped`, `p fails`."""
        self.said: list[str] = []
        """What the runtime says: `p restarting after 0.5`, `p ended: crashed`."""
        self.failures: dict[str, int] = {}
        self.families: list[Family] = []
        self.coincidence = False
        """Restarts were due in two families at one moment: their order is anybody's guess."""

    def spawn(self, node: Node) -> None:
        """Start a tree at the root. Raises `StartFailed`."""
        rules = Rules("one_for_one", node.max_restarts, node.within, node.first_delay, 8.0, {node.name: node.restart})
        self._start_family(Family(rules, None), [node], "")

    def find(self, path: str) -> Place | None:
        """Whoever lives there."""
        every = (place for family in self.families for place in family.places.values())
        return next((place for place in every if place.path == path), None)

    def states(self) -> dict[str, tuple[str, int]]:
        """State and number of lives of all that have not ended for good."""
        return {
            place.path: ("running" if place.up else "restarting", place.lives)
            for family in self.families
            for place in family.places.values()
        }

    def end(self, path: str, how: str) -> None:
        """The one at a path, which is up, ends: `normal`, `stopped` or `crashed`. One that is due can be stopped."""
        place = self.find(path)
        assert place is not None
        if place.up:
            self._close(place)
        self._ended(place, how)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while True:
            self._settle()
            times = [at for family in self.families for at in family.due.values()]
            if min(times, default=until + 1) > until:
                break
            self.now = min(times)
            self.coincidence |= sum(self.now in family.due.values() for family in self.families) > 1
        self.now = until

    def _settle(self) -> None:
        """Start all that is due, in order."""
        while True:
            due = [
                place
                for family in self.families
                for name, place in family.places.items()
                if family.due.get(name, self.now + 1) <= self.now
            ]
            if not due:
                return
            place = due[0]
            del place.above.due[place.node.name]
            try:
                self._start(place)
            except StartFailed:
                self._ended(place, "start_failed")

    def _start_family(self, family: Family, nodes: list[Node] | tuple[Node, ...], prefix: str) -> None:
        """All or none."""
        self.families.append(family)
        for node in nodes:
            family.places[node.name] = Place(node, f"{prefix}{node.name}", family)
        try:
            for place in family.places.values():
                self._start(place)
        except StartFailed:
            self._stop_family(family)
            raise

    def _start(self, place: Place) -> None:
        node = place.node
        place.lives += 1
        if self.failures.get(place.path):
            self.failures[place.path] -= 1
            self.log.append(f"{place.path} fails")
            raise StartFailed
        if node.strategy is not None:
            kinds: dict[str, RestartType] = {child.name: child.restart for child in node.children}
            rules = Rules(node.strategy, node.max_restarts, node.within, node.first_delay, 8.0, kinds)
            place.below = Family(rules, place)
            self._start_family(place.below, node.children, f"{place.path}.")
        place.above.rules.up.add(node.name)
        self.log.append(f"{place.path} started")

    def _close(self, place: Place) -> None:
        """End the life of one that is up: first what is below it."""
        if place.below is not None:
            self._stop_family(place.below)
            place.below = None
        place.above.rules.up.discard(place.node.name)
        self.log.append(f"{place.path} stopped")

    def _stop_family(self, family: Family) -> None:
        """Stop all, backwards, for good."""
        if family not in self.families:
            return
        for place in reversed(list(family.places.values())):
            has_run = place.up or place.node.name in family.due
            if place.up:
                self._close(place)
            self._gone(place, "stopped" if has_run else "start_failed")
        self.families.remove(family)

    def _gone(self, place: Place, reason: str) -> None:
        del place.above.places[place.node.name]
        place.above.due.pop(place.node.name, None)
        self.said.append(f"{place.path} ended: {reason}")

    def _ended(self, place: Place, how: str) -> None:
        family = place.above
        steps = family.rules.ended(place.node.name, how, self.now)
        if steps is None:
            self._give_up(family, place)
            return
        for step in steps:
            verb, name, *rest = step.split()
            child = family.places[name]
            if verb == "stop":
                self._close(child)
            elif verb == "forget":
                self._gone(child, how if child is place else "stopped")
            else:
                delay = float(rest[1])
                family.due[name] = self.now + delay
                self.said.append(f"{child.path} restarting after {delay:g}")
        self._settle()

    def _give_up(self, family: Family, place: Place) -> None:
        self._gone(place, "crashed")
        self._stop_family(family)
        owner = family.owner
        if owner is not None:
            owner.below = None
            self._close(owner)
            self._ended(owner, "crashed")
