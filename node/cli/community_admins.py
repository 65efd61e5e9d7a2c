"""Commands about the admins of a community: their keys, how many votes a change needs, and keys on paper."""

import json
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.community_changes import (
    RecordChange,
    changed_record,
    has_enough_votes,
    in_order,
    replaced_key,
)
from mesh.community_record import CommunityAdmin, CommunityRecord, read_record
from mesh.community_state import CommunityState
from mesh.page_format import Malformed
from mesh.recovery_key import read_recovery_text, recovery_text
from mesh.signed_statement import SignedStatement, add_signatures, as_json, read_statement
from node.cli.arguments import EXIT_NO, EXIT_YES
from node.cli.commands import CommandContext, answer_to, new_file, read_file
from node.cli.community_commands import ADMIN_KEY, admin_key, followed, new_admin_key, tell_node
from node.cli.terminal import clean
from node.errors import NodeError
from node.identity import human_form, is_node_id, key_from_raw, own_node_id
from node.units import NodeId

VOTES_DIGITS_MAX = 5


def key(context: CommandContext) -> int:
    """The id of this machine's admin key, which is made if there is none."""
    path = context.config_path.parent / ADMIN_KEY
    own = own_node_id(admin_key(path) if path.exists() else new_admin_key(path))
    context.answer({"ok": True, "key": own, "key_file": str(path)}, [own, f"Its secret part is in {path}."])
    return EXIT_YES


def admins(context: CommandContext) -> int:
    """Another set of admins: signed here, and by others if that is not enough."""

    if context.asked["new_recovery"] and context.wants_json:
        raise NodeError(
            "a new recovery key is shown to a person, who writes it on paper, and never as JSON",
            "leave --json out",
        )
    state, keys, paper = followed(context), _keys(context), None
    if context.asked["new_recovery"]:
        paper = secrets.token_bytes(32)
    change = _change(context, state, paper)
    made = changed_record(state, change, keys)
    lines = _paper_lines(context, paper)
    return _hand_in(context, state, made, lines)


def rotate(context: CommandContext) -> int:
    """A new admin key in the place of the one on this machine; with --secret, a new secret of the community."""
    if context.asked["secret"]:
        return _rotate_secret(context)
    if context.asked["save"] is not None or context.asked["recovery"] is not None:
        raise NodeError("--save and --recovery belong to --secret", "add --secret, or leave them out")
    path = context.config_path.parent / ADMIN_KEY
    state, old, new_path = followed(context), admin_key(path), path.with_name(f"{ADMIN_KEY}.new")
    new = admin_key(new_path) if new_path.exists() else new_admin_key(new_path)
    admins = state.head.admin_keys if state.head is not None else ()
    if not (
        own_node_id(new) in admins and own_node_id(old) not in admins
    ):  # or only the file is left to be replaced
        tell_node(context, {"ask": "community-add"}, replaced_key(state, old, new))
    new_path.replace(path)
    lines = [
        f"The admin key is {human_form(own_node_id(new))} now, in {path}; the one before signs nothing any longer.",
        "Keep a copy of the new one in a safe place, and destroy copies of the one before.",
    ]
    context.answer({"ok": True, "key": own_node_id(new), "key_file": str(path)}, lines)
    return EXIT_YES


def _rotate_secret(context: CommandContext) -> int:
    """A new secret of the community, which this node makes and its neighbours take from it. What was interrupted is
    completed by the same command, with the same secret."""
    state, keys = followed(context), _keys(context)
    commitment = answer_to(context, {"ask": "community-secret"})["commitment"]
    return _hand_in(context, state, changed_record(state, RecordChange(secret=commitment), keys), [])


def sign(context: CommandContext) -> int:
    """Adds this machine's signature to a change that another admin has prepared."""
    state, path = followed(context), context.asked["file"]
    prepared = _prepared(path)
    record = _record_in(prepared)
    if not context.wants_json:
        print("\n".join(_described(state, record)), file=context.out)
    keys = _keys(context)
    signed = tuple(add_signatures(each, keys) if each.kind == "community" else each for each in prepared)
    return _hand_in(context, state, signed, [])


def _hand_in(
    context: CommandContext, state: CommunityState, made: tuple[SignedStatement, ...], lines: list[str]
) -> int:
    """To the node if enough have signed, and otherwise into a file for the next admin."""
    record, target = _record_in(made), context.asked["save"]
    if has_enough_votes(state, made[0]):
        # Before the record can have it in force, also when the node cannot store it now: it exists nowhere else.
        print("\n".join(lines), end="\n" if lines else "", file=context.out, flush=True)
        tell_node(context, {"ask": "community-add"}, in_order(state, made))
        done = [f"Version {record.version} of the community record is in force."]
        if record.secret:
            done += [
                "Its nodes take the new secret from each other; 'procomu community show' names neighbours that lack it.",
                "Codes and cards that were printed before are still good.",
            ]
        context.answer({"ok": True, "version": record.version, "in_force": True}, done)
        return EXIT_YES
    if target is None:
        raise NodeError(
            "too few admins have signed this change",
            "give --save FILE, and let the next admin run 'procomu community sign FILE'",
        )
    with new_file(target) as file:
        file.write(json.dumps([as_json(each) for each in made]).encode())
        file.flush()
        os.fsync(file.fileno())
    waits = f"It needs more signatures: let the next admin run 'procomu community sign {clean(target)}'."
    context.answer(
        {"ok": False, "version": record.version, "in_force": False, "file": target}, [*lines, waits]
    )
    return EXIT_NO


def _change(context: CommandContext, state: CommunityState, paper: bytes | None) -> RecordChange:

    asked = context.asked
    add: tuple[CommunityAdmin, ...] = ()
    if asked["add"] is not None:
        votes = _number(asked["votes"], "--votes") or 1
        add = (CommunityAdmin(_key_id(asked["add"]), votes, asked["label"] or "admin"),)
    removed = frozenset() if asked["remove"] is None else frozenset({_admin_named(state, asked["remove"])})
    recovery = () if paper is None else (own_node_id(key_from_raw(paper)),)
    change = RecordChange(add, removed, _number(asked["threshold"], "--threshold"), recovery)
    if change == RecordChange():
        raise NodeError("nothing would change", "give --add, --remove, --threshold or --new-recovery")
    return change


def _keys(context: CommandContext) -> "tuple[Ed25519PrivateKey, ...]":
    """The key on paper if one is given, then this machine's."""

    path, paper = context.config_path.parent / ADMIN_KEY, context.asked["recovery"]
    if paper is None:
        return (admin_key(path),)
    try:
        from_paper = key_from_raw(read_recovery_text(read_file(Path(paper)).strip()))
    except ValueError as error:
        raise NodeError(
            f"{clean(paper)} has no recovery key: {error}", "write it as it is on the paper"
        ) from error
    return (from_paper, *([admin_key(path)] if path.exists() else []))


def _paper_lines(context: CommandContext, paper: bytes | None) -> list[str]:

    if paper is None:
        return []
    return [
        context.terminal.bold(recovery_text(paper)),
        "This is a recovery key: write it on paper now, it is not shown again. It alone can replace all admins when their",
        "keys are lost, so keep it where several people must agree to take it out.",
        "",
    ]


def _described(state: CommunityState, record: CommunityRecord) -> list[str]:
    """What the change is, for the admin who signs it."""
    before = state.head
    assert before is not None, "the node follows a record that it knows"
    lines = [f"Version {record.version} of the community record, after {before.version}:"]
    lines += [
        f"  admin {clean(each.label)}, {each.votes} votes, {human_form(each.key)}" for each in record.admins
    ]
    lines += [f"  recovery key {human_form(each)}" for each in record.recovery]
    lines += ["  a new secret of the community"] if record.secret else []
    return [*lines, f"  a change needs {record.threshold} votes; before, {before.threshold}"]


def _prepared(path: str) -> tuple[SignedStatement, ...]:

    try:
        listed: Any = json.loads(read_file(Path(path)))
    except ValueError:
        listed = None
    read = [read_statement(each) for each in listed] if isinstance(listed, list) else []
    good = tuple(each for each in read if not isinstance(each, Malformed))
    if not good or len(good) != len(read) or good[0].kind != "community":
        raise NodeError(
            f"{clean(path)} holds no prepared change", "give the file that 'community admins --save' made"
        )
    return good


def _record_in(statements: tuple[SignedStatement, ...]) -> CommunityRecord:

    record = read_record(statements[0])
    if not isinstance(record, CommunityRecord):
        raise NodeError(f"the prepared change is not possible: {record.reason}", "prepare it again")
    return record


def _admin_named(state: CommunityState, text: str) -> NodeId:
    found = [
        each.key
        for each in (state.head.admins if state.head else ())
        if text.strip() in {each.key, each.label, human_form(each.key)}
    ]
    if len(found) != 1:
        raise NodeError(
            f"no single admin is called {clean(text)}", "write the key that 'procomu community show' prints"
        )
    return found[0]


def _key_id(text: str) -> NodeId:

    if not is_node_id(text.strip()):
        raise NodeError(
            "this is not the id of a key", "copy what 'procomu community key' prints on the other machine"
        )
    return NodeId(text.strip())


def _number(text: str | None, option: str) -> int:
    """0 when it is not given."""
    if text is None:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= VOTES_DIGITS_MAX and int(text)):
        raise NodeError(f"{option} is not a number of votes", f"write a number, as in {option} 2")
    return int(text)


ADMIN_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {
    "community key": key,
    "community admins": admins,
    "community sign": sign,
    "community rotate": rotate,
}
