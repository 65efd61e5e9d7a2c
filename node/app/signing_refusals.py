"""Why nothing was signed for the community, for people; the code of each is the field of the form that it is about."""

from node.app.idempotency import KeyState
from node.errors import Finding
from node.translator import gettext_lazy, ngettext_lazy


def wrong_passphrase(wait_s: int, field: str = "passphrase") -> Finding:
    """`wait_s`: until the next attempt is allowed; 0 if it is allowed now."""
    if wait_s:
        return Finding(
            field,
            0,
            ngettext_lazy(
                "Too many wrong attempts. Try again in {number} minute.",
                "Too many wrong attempts. Try again in {number} minutes.",
                -(-wait_s // 60),
            ),
            "",
        )
    if field == "earlier":
        return Finding(field, 0, gettext_lazy("This passphrase does not open your key."), "")
    return Finding(field, 0, gettext_lazy("This is not your passphrase."), "")


def earlier_passphrase() -> Finding:
    return Finding(
        "earlier",
        0,
        gettext_lazy("Your key is locked with the passphrase that you had before."),
        gettext_lazy("type that one too, once"),
    )


def no_account() -> Finding:
    return Finding(
        "passphrase",
        0,
        gettext_lazy("You signed in with a link and have no passphrase."),
        gettext_lazy("choose one on the page “My passphrase” first"),
    )


def no_key(field: str = "passphrase") -> Finding:
    if field == "passphrase":
        return Finding(
            field, 0, gettext_lazy("You have no key yet."), gettext_lazy("make one on the page “My key”")
        )
    return Finding(
        field,
        0,
        gettext_lazy("This is not the id of a key."),
        gettext_lazy("copy what the page “My key” of the other admin shows"),
    )


def key_is_there() -> Finding:
    return Finding(
        "passphrase",
        0,
        gettext_lazy("You have a key already."),
        gettext_lazy("look at it on the page “My key”"),
    )


def not_admin_yet() -> Finding:
    return Finding(
        "passphrase",
        0,
        gettext_lazy("Your key is not one of the community’s admins."),
        gettext_lazy("let an admin add it first"),
    )


def no_record() -> Finding:
    return Finding(
        "passphrase",
        0,
        gettext_lazy("This node follows no community record."),
        gettext_lazy("look at the page “Nodes” for what to do"),
    )


def already_followed() -> Finding:
    return Finding(
        "passphrase",
        0,
        gettext_lazy("This node follows a community record already."),
        gettext_lazy("look at the page “Nodes”"),
    )


def offered_already() -> Finding:
    return Finding(
        "passphrase",
        0,
        gettext_lazy("Neighbours of this node follow a community record already."),
        gettext_lazy("compare it with an admin, then follow it on the page “Nodes”"),
    )


def no_such_record() -> Finding:
    return Finding(
        "community",
        0,
        gettext_lazy("No neighbour of this node follows this record."),
        gettext_lazy("let both nodes connect first, then compare again"),
    )


def no_such_invite() -> Finding:
    return Finding(
        "invite",
        0,
        gettext_lazy("There is no such invite."),
        gettext_lazy("choose one from the list of nodes and invites"),
    )


def no_such_admin() -> Finding:
    return Finding(
        "admin",
        0,
        gettext_lazy("The community has no such admin."),
        gettext_lazy("choose one from the list of its admins"),
    )


def not_oneself() -> Finding:
    return Finding(
        "passphrase",
        0,
        gettext_lazy("Nobody removes the own key: what it signed would count no longer."),
        gettext_lazy("let another admin do it"),
    )


def no_address() -> Finding:
    return Finding(
        "address",
        0,
        gettext_lazy("This node has no address on a mesh link to write into the invite."),
        gettext_lazy("write the address on which new nodes reach it, such as 10.0.0.1:7400"),
    )


def not_again(form: KeyState) -> Finding:
    """For a form that is not ``fresh``."""
    if form == "used":
        message = gettext_lazy("This form was sent before, and what it made is not shown again.")
    else:
        message = gettext_lazy("This form is too old, so nothing was issued.")
    return Finding("passphrase", 0, message, gettext_lazy("open the page again for a new form"))


def too_few_votes(threshold: int) -> Finding:
    return Finding(
        "passphrase",
        0,
        ngettext_lazy(
            "This needs {number} vote, and your key has fewer.",
            "This needs {number} votes, and your key has fewer.",
            threshold,
        ),
        gettext_lazy("let several admins sign with procomu community admins --save"),
    )


def not_possible(reason: str) -> Finding:
    """`reason` is in English."""
    return Finding(
        "passphrase",
        0,
        gettext_lazy("The community’s records do not take this: {english}", english=reason),
        gettext_lazy("look at the page “Nodes”, and sign again"),
    )


def file_too_large() -> Finding:
    return Finding(
        "passphrase",
        0,
        gettext_lazy("The file is too large to share."),
        gettext_lazy("shorten it: remove comments, names and devices that nobody needs"),
    )
