"""In which order processes are started, and in the reverse of it stopped: each after those it depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from engine.domain.errors import ConfigurationError


def layers(names: Iterable[str], needs: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Groups of names, each needing only names of the groups before it; in the order given within a group.

    What is needed but not among `names` does not count. Raises ConfigurationError when some need each other in a circle.
    """
    wanted = list(dict.fromkeys(names))
    sorter = TopologicalSorter({name: [need for need in needs.get(name, ()) if need in wanted] for name in wanted})
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise ConfigurationError(
            f"Processes depend on each other in a circle: {circle}.", "Take one of these dependencies out."
        ) from None
    found: list[list[str]] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found.append(sorted(ready, key=wanted.index))
        sorter.done(*ready)
    return found
