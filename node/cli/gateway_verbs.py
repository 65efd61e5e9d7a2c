"""The commands about gateways, as help, parser and reference describe them."""

from node.cli.verb import JSON, Argument, Verb

_ID = Argument("GATEWAY", "its id, as 'procomu gateways list' lists it")

GATEWAY_VERBS: tuple[Verb, ...] = (
    Verb(
        ("gateways", "list"),
        "Routers with WiFiDog or openNDS that send their people here, and those that ask to.",
        "procomu gateways list",
        (JSON,),
    ),
    Verb(
        ("gateways", "add"),
        "Make a gateway that has not asked, and print its configuration.",
        'procomu gateways add "the bakery" --kind wifidog',
        (
            Argument("NAME", "what people call the place"),
            Argument("--kind", "its program: wifidog (default), apfree or opennds", "KIND"),
            JSON,
        ),
    ),
    Verb(
        ("gateways", "accept"),
        "Accept a router that asks, and print its configuration.",
        'procomu gateways accept 0a1b2c3d "the bakery"',
        (_ID, Argument("NAME", "what people call the place"), JSON),
    ),
    Verb(
        ("gateways", "refuse"),
        "Refuse a router that asks: it does not ask again.",
        "procomu gateways refuse 0a1b2c3d",
        (_ID, JSON),
    ),
    Verb(
        ("gateways", "remove"),
        "Remove a gateway: its people go offline at its next check.",
        "procomu gateways remove 0a1b2c3d",
        (_ID, JSON),
    ),
    Verb(
        ("gateways", "config"),
        "Print the configuration of a gateway, with its secret.",
        "procomu gateways config 0a1b2c3d",
        (_ID, JSON),
    ),
)
