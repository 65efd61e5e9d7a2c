"""The adoption of a gateway as a state machine: one transition table. A router is never trusted by what it calls itself.

`None` is a router that this node does not know, or no longer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from node.gateways.gateway import Gateway, GatewayKind, GatewayPhase


@dataclass(frozen=True, slots=True)
class RouterAsked:
    """An unknown router spoke, without a secret of this node."""

    id: str
    kind: GatewayKind
    called: str
    address: str


@dataclass(frozen=True, slots=True)
class RouterAdded:
    """An admin prepares a gateway before it has asked."""

    id: str
    kind: GatewayKind
    name: str


@dataclass(frozen=True, slots=True)
class RouterAccepted:
    """An admin says: it is ours."""

    name: str


@dataclass(frozen=True, slots=True)
class RouterRefused:
    """An admin says: it is not ours, and is not to ask again."""


@dataclass(frozen=True, slots=True)
class RouterDropped:
    """An admin removes it, or nobody answered an asking router for long."""


@dataclass(frozen=True, slots=True)
class SecretReplaced:
    """The secret became known to others: from now on another one holds."""


@dataclass(frozen=True, slots=True)
class SourcesLimited:
    """It may speak from these networks only."""

    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RouterSpoke:
    """A router spoke with the secret. The first one is the gateway from then on."""

    kind: GatewayKind
    called: str
    address: str


AdoptionEvent = (
    RouterAsked
    | RouterAdded
    | RouterAccepted
    | RouterRefused
    | RouterDropped
    | SecretReplaced
    | SourcesLimited
    | RouterSpoke
)


def step(gateway: Gateway | None, event: AdoptionEvent) -> Gateway | None:
    """The gateway after the event; unchanged where the table has no row."""
    transition = TRANSITIONS.get((gateway.phase if gateway is not None else None, type(event)))
    return gateway if transition is None else transition(gateway, event)


def _ask(_none: None, event: RouterAsked) -> Gateway:
    return Gateway(event.id, event.kind, "asked", "", event.called, event.address)


def _add(_none: None, event: RouterAdded) -> Gateway:
    return Gateway(event.id, event.kind, "accepted", event.name, "", "")


def _ask_again(gateway: Gateway, event: RouterAsked) -> Gateway:
    return replace(gateway, kind=event.kind, address=event.address)


def _accept(gateway: Gateway, event: RouterAccepted) -> Gateway:
    return replace(gateway, phase="accepted", name=event.name)


def _refuse(gateway: Gateway, _event: RouterRefused) -> Gateway:
    return replace(gateway, phase="refused")


def _drop(_gateway: Gateway, _event: RouterDropped) -> None:
    return None


def _replace_secret(gateway: Gateway, _event: SecretReplaced) -> Gateway:
    return replace(gateway, serial=gateway.serial + 1, called="", address="")


def _limit(gateway: Gateway, event: SourcesLimited) -> Gateway:
    return replace(gateway, sources=event.sources)


def _speak(gateway: Gateway, event: RouterSpoke) -> Gateway:
    if gateway.called:
        return gateway  # also with another kind: what a router says a second time writes nothing
    return replace(gateway, kind=event.kind, called=event.called, address=gateway.address or event.address)


TRANSITIONS: Mapping[tuple[GatewayPhase | None, type[AdoptionEvent]], Callable[..., Gateway | None]] = {
    (None, RouterAsked): _ask,
    (None, RouterAdded): _add,
    ("asked", RouterAsked): _ask_again,
    ("asked", RouterAccepted): _accept,
    ("asked", RouterRefused): _refuse,
    ("asked", RouterDropped): _drop,
    ("accepted", RouterAccepted): _accept,
    ("accepted", RouterDropped): _drop,
    ("accepted", SecretReplaced): _replace_secret,
    ("accepted", SourcesLimited): _limit,
    ("accepted", RouterSpoke): _speak,
    ("refused", RouterAccepted): _accept,
    ("refused", RouterDropped): _drop,
}
