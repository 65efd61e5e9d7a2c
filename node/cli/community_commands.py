"""Commands about the community record: which nodes belong to the community, and who signs for it.

The running node holds the statements; the admin's key is read and used here, and never given to it. What only these
commands need is imported when they run (see `node.cli.entry`), and what only `join` needs when that runs.
"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.announcement import Address, read_address
from mesh.community_changes import (
    changed_membership,
    closed_invite,
    find_invite,
    find_member,
    first_record,
    new_invite,
)
from mesh.community_state import CommunityState
from mesh.invite import SEED_BYTES, USES_MAX, invite_text, read_invite, read_invite_text
from mesh.page_format import Malformed
from mesh.signed_statement import SignedStatement, as_json, read_statement
from node.cli.arguments import EXIT_YES
from node.cli.commands import CommandContext, answer_to, new_file, read_config, read_file
from node.cli.community_links import shown_links
from node.cli.terminal import Column, clean, table
from node.config import NodeConfig
from node.console import QUESTION_BYTES_MAX, NoRunningNode
from node.errors import NodeError
from node.identity import human_form, key_from_pem, key_to_pem
from node.interface_addresses import mesh_addresses
from node.keyring import community_key_from
from node.synced_files import sync_folder

if TYPE_CHECKING:
    from mesh.join_client import JoinedCommunity

ADMIN_KEY = "admin.key"
"""Beside the settings, on the node of an admin."""
ADMIN_LABEL = "admin"
USES_DEFAULT = 1
INVITE_BYTES_MAX = 4_096
PORTION_BYTES = QUESTION_BYTES_MAX // 2
"""Statements that the node is told in one question."""


def show(context: CommandContext) -> int:
    """The record, the nodes and the invites, as this node holds them."""
    answer = answer_to(context, {"ask": "community"})
    state = _state(answer)
    head = state.head if state else None
    as_json: dict[str, Any] = {
        "ok": True,
        "node": answer["node"],
        "followed": answer["followed"],
        "nodes": answer["nodes"],
        "listed": answer["listed"],
        "offered": answer["offered"],
        "warnings": answer["warnings"],
        "links": answer["links"],
    }
    if state is None or head is None:
        lines = ["This node follows no community record: its nodes are those of community.nodes.", ""]
        lines += [f"  {node}" for node in answer["nodes"]]
        context.answer(as_json, [*lines, *shown_links(context, answer, {}), *_warned(answer)])
        return EXIT_YES
    as_json |= {
        "name": head.name,
        "version": head.version,
        "threshold": head.threshold,
        "admins": [{"key": each.key, "votes": each.votes, "label": each.label} for each in head.admins],
        "recovery": list(head.recovery),
        "members": [
            {
                "node": each.node,
                "label": each.label,
                "role": each.role,
                "state": each.state,
                "invite": each.invite or "",
                "is_over": each.is_over,
            }
            for each in state.members()
        ],
        "invites": [
            {
                "key": each.invite.key,
                "uses": each.invite.uses,
                "state": each.invite.state,
                "used_by": list(each.used_by),
                "issuers": list(each.issuers),
            }
            for each in state.invites()
        ],
        "competing": [each.hash for each in state.competing()],
        "secret": answer["secret"],
        "secret_held": answer["secret_held"],
        "secret_lagging": answer["secret_lagging"],
    }
    labels = {each.node: each.label for each in state.members()}
    links = shown_links(context, answer, labels)
    shown = [] if context.wants_json else [*_shown(context, state), *_shown_secret(state, answer), *links]
    context.answer(as_json, [*shown, *_warned(answer)])
    return EXIT_YES


def _shown(context: CommandContext, state: CommunityState) -> list[str]:
    head, terminal = state.head, context.terminal
    assert head is not None, "the caller has looked"
    votes = "vote" if head.threshold == 1 else "votes"
    lines = [
        terminal.bold(f"{clean(head.name)}  {state.id[:16]}"),
        f"version {head.version}; a change needs {head.threshold} {votes}",
        "",
        *table(
            (Column("admin"), Column("votes", is_number=True), Column("key")),
            [(each.label, each.votes, human_form(each.key)) for each in head.admins],
            terminal,
        ),
        "",
        *table(
            (Column("node"), Column("id"), Column("state"), Column("came with")),
            [
                (
                    each.label,
                    human_form(each.node),
                    each.state,
                    f"invite {human_form(each.invite)}{', one too many' if each.is_over else ''}"
                    if each.invite
                    else "",
                )
                for each in state.members()
            ],
            terminal,
        ),
    ]
    if len(head.admins) == 1 and not head.recovery:
        lines += [
            "",
            "One key decides alone, and if it is lost nobody decides: keep a copy of it in a safe place.",
        ]
    invites = [
        (human_form(each.invite.key), each.invite.state, f"{len(each.used_by)} of {each.invite.uses}")
        for each in state.invites()
    ]
    if invites:
        lines += ["", *table((Column("invite"), Column("state"), Column("used")), invites, terminal)]
    return lines


def _shown_secret(state: CommunityState, answer: Mapping[str, Any]) -> list[str]:
    number, held, lagging = answer["secret"], answer["secret_held"], answer["secret_lagging"]
    lines = ["", f"The community's secret in force is number {number}."]
    if held < number:
        lines += [f"This node has number {held} only."]
    labels = {each.node: each.label for each in state.members()}
    return [
        *lines,
        *(f"{clean(labels.get(node, '')) or human_form(node)} does not have it yet." for node in lagging),
    ]


def _warned(answer: Mapping[str, Any]) -> list[str]:
    return ["", *map(clean, answer["warnings"])] if answer["warnings"] else []


def create(context: CommandContext) -> int:
    """Makes version 1 of the record from the list of nodes in the settings, with one admin key."""

    config = read_config(context.config_path)
    answer = answer_to(context, {"ask": "community"})
    if answer["followed"]:
        raise NodeError(
            f"this node follows a community record already: {answer['followed'][:16]}",
            "look at it with 'procomu community show'",
        )
    if answer["offered"]:
        raise NodeError(
            f"neighbours of this node follow a community record already: {answer['offered'][0][:16]}",
            "compare it with an admin, then follow it with 'procomu community follow'",
        )
    path = context.config_path.parent / ADMIN_KEY
    key = admin_key(path) if path.exists() else new_admin_key(path)
    made = first_record(config.community.name, context.asked["label"] or ADMIN_LABEL, key, answer["listed"])
    tell_node(context, {"ask": "community-follow", "community": made.community}, made.statements)
    lines = [
        f"{context.terminal.good('made')}  the community record {made.community[:16]}, with {len(answer['listed'])} nodes.",
        f"The admin's key is {path}. Keep a copy in a safe place: without it, nobody can invite or remove a node.",
        f"On each other node, once: procomu community follow {made.community[:16]}",
    ]
    context.answer({"ok": True, "community": made.community, "key_file": str(path)}, lines)
    return EXIT_YES


def follow(context: CommandContext) -> int:
    """This node's list of nodes comes from that record from now on."""
    answer = answer_to(context, {"ask": "community-follow", "community": context.asked["id"].strip()})
    lines = [f"This node follows the community record {answer['followed'][:16]} from now on."]
    context.answer(answer, lines)
    return EXIT_YES


def invite(context: CommandContext) -> int:
    """An invite for a new node; with --close, takes one back."""

    asked = context.asked
    state, key = followed(context), admin_key(context.config_path.parent / ADMIN_KEY)
    if asked["close"] is not None:
        found = find_invite(state, asked["close"])
        tell_node(context, {"ask": "community-add"}, closed_invite(state, key, found))
        context.answer({"ok": True, "closed": found.key}, [f"Invite {human_form(found.key)} is closed."])
        return EXIT_YES
    text = asked["uses"] or str(USES_DEFAULT)
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= USES_MAX):
        raise NodeError(
            f"--uses is not a number from 1 to {USES_MAX}", "write for how many nodes the invite is"
        )
    config, seed = read_config(context.config_path), secrets.token_bytes(SEED_BYTES)
    addresses = _given_address(asked["address"], config) or mesh_addresses(
        config.mesh.interfaces, config.mesh.port
    )
    if not addresses:
        raise NodeError(
            "this node has no address on a mesh link to write into the invite",
            "give the address on which new nodes reach it, such as --address 10.0.0.1:7400",
        )
    statement = new_invite(state, key, seed, int(text))
    said = read_invite(statement)
    assert not isinstance(said, Malformed), "it was just made"
    word = invite_text(seed, statement, said, addresses)
    if asked["print"] is not None:
        from node.cli.printing import invite_picture  # noqa: PLC0415

        with new_file(asked["print"]) as picture:
            picture.write(invite_picture(word))
    tell_node(context, {"ask": "community-add"}, (statement,))
    lines = [
        context.terminal.bold(word),
        f"For {text} node{'' if text == '1' else 's'}. Everyone who has this text can bring a node in; take it back with:",
        f"procomu community invite --close {human_form(said.key)}",
        "On the new node, while it is stopped: procomu community join INVITE",
    ]
    context.answer({"ok": True, "invite": word, "key": said.key, "uses": said.uses}, lines)
    return EXIT_YES


def join(context: CommandContext) -> int:
    """Brings this node into the community of an invite."""
    from mesh.join_client import join_community  # noqa: PLC0415
    from node.setup.joining import peer_setting  # noqa: PLC0415

    config = read_config(context.config_path)
    word = context.asked["invite"]
    invited = read_invite_text(sys.stdin.read(INVITE_BYTES_MAX) if word == "-" else word)
    if isinstance(invited, Malformed):
        raise NodeError(
            f"this is no invite: {invited.reason}", "copy all of it, from 'procomu-invite' to its end"
        )
    key = key_from_pem(read_file(Path(config.node.key_file)).encode())
    also = _given_address(context.asked["address"], config)
    joined = asyncio.run(join_community(key, invited, config.node.name, also))
    _keep(context, config, joined)
    head = joined.state.head
    assert head is not None, "the answer was checked"
    lines = [
        f"{context.terminal.good('joined')}  {clean(head.name)}, let in by {human_form(joined.member)} at {joined.address}."
    ]
    if not (config.mesh.interfaces or config.mesh.peers):
        lines += [
            "This node has no mesh links yet. Write into its settings, below [mesh]:",
            f'peers = ["{peer_setting(joined)}"]',
        ]
    as_json = {"ok": True, "community": joined.state.id, "name": head.name, "member": joined.member}
    context.answer({**as_json, "address": str(joined.address)}, lines)
    return EXIT_YES


def _keep(context: CommandContext, config: NodeConfig, joined: "JoinedCommunity") -> None:
    from node.setup.joining import keep_joined  # noqa: PLC0415

    key_file = Path(config.community.key_file)
    is_same = key_file.exists() and community_key_from(key_file.read_bytes()) == joined.secret
    question = {"ask": "community-follow", "community": joined.state.id}
    try:
        answer_to(context, {"ask": "community"})
    except NoRunningNode:
        keep_joined(config, joined)
        return
    if not is_same:
        raise NodeError(
            "this node runs with another community's secret",
            "stop it with 'systemctl stop procomu', join again with the same invite, and start it",
        )
    tell_node(context, question, joined.state.statements())
    answer_to(context, {"ask": "community-newcomer"})


def remove(context: CommandContext) -> int:
    """The node is out everywhere, within seconds; with --suspend for a while, with --back in again."""

    asked = context.asked
    if asked["suspend"] and asked["back"]:
        raise NodeError(
            "--suspend and --back exclude each other", "give one of them, or neither to remove the node"
        )
    new_state = "suspended" if asked["suspend"] else "active" if asked["back"] else "removed"
    state, key = followed(context), admin_key(context.config_path.parent / ADMIN_KEY)
    view = find_member(state, asked["node"])
    tell_node(context, {"ask": "community-add"}, (changed_membership(state, key, view, new_state),))
    said = {"active": "is active again", "suspended": "is suspended", "removed": "is removed"}[new_state]
    lines = [f"{clean(view.label) or human_form(view.node)} {said}."]
    if new_state == "removed":
        lines += [
            "It may still hold copies of what it received. It still knows the community's secret; make a new one:",
            "procomu community rotate --secret",
        ]
        if view.invite is not None:
            lines += [f"Close its invite too: procomu community invite --close {human_form(view.invite)}"]
    context.answer({"ok": True, "node": view.node, "state": new_state}, lines)
    return EXIT_YES


def tell_node(
    context: CommandContext, question: Mapping[str, Any], statements: "Iterable[SignedStatement]"
) -> None:
    """In portions that the control socket takes; the first one has the record itself."""
    waiting = [as_json(each) for each in statements]
    while waiting:
        portion: list[dict[str, Any]] = []
        size = 0
        while waiting and (not portion or size + len(json.dumps(waiting[0])) < PORTION_BYTES):
            size += len(json.dumps(waiting[0]))
            portion.append(waiting.pop(0))
        answer_to(context, {**question, "statements": portion})
        question = {"ask": "community-add"}


def followed(context: CommandContext) -> CommunityState:
    state = _state(answer_to(context, {"ask": "community"}))
    if state is None:
        raise NodeError(
            "this node follows no community record",
            "make one with 'procomu community create', or join one with an invite",
        )
    return state


def _state(answer: Mapping[str, Any]) -> CommunityState | None:

    if not answer["followed"]:
        return None
    state = CommunityState(answer["followed"])
    for statement in map(read_statement, answer["statements"]):
        if not isinstance(statement, Malformed):
            state.add(statement)
    return state


def admin_key(path: Path) -> Ed25519PrivateKey:
    try:
        return key_from_pem(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise NodeError(
            f"the admin's key {path} cannot be used: {reason}",
            "run this as root on the machine that has it, or put a copy of it there",
        ) from error


def new_admin_key(path: Path) -> Ed25519PrivateKey:

    key = Ed25519PrivateKey.generate()
    with new_file(str(path)) as file:
        file.write(key_to_pem(key))
        file.flush()
        os.fsync(file.fileno())
        sync_folder(path.parent)  # before a record names it: nobody else has it
    return key


def _given_address(text: str | None, config: NodeConfig) -> tuple[Address, ...]:
    if text is None:
        return ()
    address = read_address(text, config.mesh.port)
    if address is None:
        raise NodeError(
            f"{clean(text)} is not an address", "write it as 10.0.0.1:7400, or [fd00::1]:7400 for IPv6"
        )
    return (address,)


COMMUNITY_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {
    "community show": show,
    "community create": create,
    "community follow": follow,
    "community invite": invite,
    "community join": join,
    "community remove": remove,
}
