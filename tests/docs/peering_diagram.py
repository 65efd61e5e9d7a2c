"""Draws the states of a neighbour from `mesh.peering.step`: ``python -m tests.docs.peering_diagram``."""

from mesh import peering
from mesh.peering import Closed, Event, Introduced, Listed, Proved, Sighted, Spoke, State, Ticked
from node.units import Monotonic

NOW = Monotonic(10**9)
LATER = Monotonic(NOW + 10**8)
SOON = Monotonic(NOW + 1)
STATES: tuple[State, ...] = (
    peering.Gone(NOW, LATER, LATER),
    peering.Heard(NOW, 1, LATER),
    peering.Greeted(NOW),
    peering.Trusted(NOW),
    peering.Silent(NOW, 1, LATER),
    peering.Stranger(NOW, LATER),
)
EVENTS: tuple[tuple[str, Event, Monotonic], ...] = (
    ("an address is named", Sighted(), SOON),
    ("proves a member's key", Proved(True), SOON),
    ("proves a key that is not listed", Proved(False), SOON),
    ("says hello", Introduced(True), SOON),
    ("says hello of another community", Introduced(False), SOON),
    ("speaks", Spoke(), SOON),
    ("connection ends", Closed(), SOON),
    ("is put on the list", Listed(True), SOON),
    ("is taken off the list", Listed(False), SOON),
    ("time passes", Ticked(), LATER),
)


def diagram() -> str:
    """Mermaid text: one arrow for each event that changes or ends a state."""
    lines = ["stateDiagram-v2", "    [*] --> gone"]
    for state in STATES:
        for words, event, now in EVENTS:
            after, effects = peering.step(state, event, now)
            end = "[*]" if peering.Forget() in effects else peering.name_of(after)
            if end != peering.name_of(state):
                lines.append(f"    {peering.name_of(state)} --> {end}: {words}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(diagram())
