"""Commands for the lifetime of a node: backup, restore, export and factory reset.

What only they need is imported when they run, as in `node.cli.commands`.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from node.cli.arguments import EXIT_WRONG_USE, EXIT_YES
from node.cli.commands import CommandContext, answer_to, cleanup_kernel, new_file, read_config, version
from node.cli.history_commands import export_history
from node.cli.terminal import clean
from node.config import NodeConfig
from node.errors import NodeError
from node.units import Bytes, show_volume

if TYPE_CHECKING:
    from node.backup.service import BackupMade, BackupRead

KEY_FILE_BYTES_MAX = 16_384
INTERFACES = Path("/sys/class/net")
PROMETHEUS = "prometheus"
"""What is exported for it is the metrics."""
NETWORK_FORMATS = ("netjson", "meshviewer", "nodelist", "cnml")
"""Those of `node.export.formats`, which loads what takes a while on a small board."""
TRIES = 3
"""For a typed recovery key."""


def backup_key(context: CommandContext) -> int:
    """Makes a recovery key. Only its public part stays on this machine."""
    from node.backup.age import in_groups, recipient_of, recovery_key  # noqa: PLC0415
    from node.backup.contents import RECIPIENTS  # noqa: PLC0415
    from node.backup.service import files_of, new_secret, save_recipient  # noqa: PLC0415
    from node.cli.printing import check_language, recovery_sheet  # noqa: PLC0415

    asked, now = context.asked, _now()
    config = _settled_config(context)
    path, lang = files_of(context.config_path, config)[RECIPIENTS], check_language(asked["language"] or "")
    if path.exists() and not asked["replace"]:
        raise NodeError(
            f"there is a key for backups already, {path}",
            "give --replace to make another one; backups made until now still need the recovery key of before",
        )
    secret = new_secret()
    key, public = recovery_key(secret), recipient_of(secret)
    with contextlib.ExitStack() as written:
        if asked["print"] is not None:
            page = written.enter_context(new_file(asked["print"]))
            page.write(recovery_sheet(secret, config.community.name, now, lang=lang))
        save_recipient(path, secret, now)
        lines = [
            context.terminal.bold(in_groups(key)),
            "This is the recovery key. Write it down or print it: it is shown only now, and this machine does not keep it.",
            "Without it nobody can open a backup; everyone who has it can. Keep it away from the node and from the backups.",
            "",
            f"{context.terminal.good('made')}  {path}: {public}",
        ]
        if asked["print"] is not None:
            lines.append(f"{asked['print']} is ready: print it, then delete it.")
        context.answer({"ok": True, "key": key, "public": public, "file": str(path)}, lines)
    return EXIT_YES


def backup_create(context: CommandContext) -> int:
    made = _create(context, _settled_config(context), context.asked["file"])
    as_json = {"ok": True, "file": context.asked["file"], "bytes": made.size, **asdict(made.description)}
    context.answer(as_json, _made_lines(context, context.asked["file"], made))
    return EXIT_YES


def _create(context: CommandContext, config: NodeConfig, name: str) -> "BackupMade":
    from node.backup.service import make_backup, note_made  # noqa: PLC0415

    with new_file(name) as out:
        made = make_backup(context.config_path, config, out, version=version(), now=_now())
        os.fsync(out.fileno())
    note_made(config, made)
    return made


def _made_lines(context: CommandContext, name: str, made: "BackupMade") -> list[str]:
    keys = "the recovery key" if made.recipients == 1 else f"any of the {made.recipients} recovery keys"
    return [
        f"{context.terminal.good('made')}  {name}, {show_volume(Bytes(made.size))}; {keys} opens it.",
        "It has the names and devices of people: delete it when it is no longer needed.",
    ]


def backup_check(context: CommandContext) -> int:
    from node.backup.service import inspect_backup  # noqa: PLC0415

    with _opened(context.asked["file"]) as file:
        found = inspect_backup(file, _secret(context))
    as_json = {
        "ok": True,
        **asdict(found.description),
        "database_bytes": found.database_bytes,
        "files": sorted(found.files),
    }
    context.answer(as_json, ["The backup is complete and undamaged.", *_described(found)])
    return EXIT_YES


def _described(found: "BackupRead") -> list[str]:
    about = found.description
    return [
        f"  community  {clean(about.community)}",
        f"  node       {clean(about.node)} ({clean(about.node_id)})",
        f"  made       {clean(about.made)}, by version {clean(about.version)}",
        f"  database   {show_volume(Bytes(found.database_bytes))}",
    ]


def restore(context: CommandContext) -> int:
    from node.backup.restore import restore as put_back  # noqa: PLC0415

    def confirm(found: "BackupRead", is_replacing: bool) -> None:
        if context.asked["yes"]:
            return
        if not _is_on_terminal(context):
            if is_replacing:
                raise NodeError("there is a database here already", "give --yes to replace it")
            return
        what = "It replaces this node's settings, rules, members and database." if is_replacing else ""
        print("\n".join([*_described(found), *filter(None, [what])]), file=context.out)
        if _typed("Restore it? Type yes: ").lower() != "yes":
            raise NodeError("nothing was changed", "type yes to restore")

    with _opened(context.asked["file"]) as file:
        done = put_back(file, _secret(context), context.config_path, confirm)
    about = done.description
    missing = [
        name
        for name in (done.config.lan.interface, done.config.uplink.interface)
        if not (INTERFACES / name).exists()
    ]
    lines = [
        f"{context.terminal.good('restored')}  {clean(about.node)} in {clean(about.community)}, as on {clean(about.made)}.",
        "Counting goes on under a new name of the node's records, so that nothing is counted twice.",
        "Do not start the machine of before again with these keys: two nodes must not have one key.",
        "What was erased, revoked or changed after the backup was made is as before it.",
    ]
    if missing:
        lines.append(
            f"Here is no interface {' and no '.join(map(clean, missing))}: correct {context.config_path} before the start."
        )
    lines += ["", f"Next: procomu doctor --config {context.config_path}"]
    context.answer({"ok": True, **asdict(about), "missing_interfaces": missing}, lines)
    return EXIT_YES


def export(context: CommandContext) -> int:
    from node.backup.contents import DATABASE  # noqa: PLC0415
    from node.storage.export import FORMATS, export_tables  # noqa: PLC0415

    asked = context.asked
    if asked["what"] == "history":
        return export_history(context)
    if asked["what"] in NETWORK_FORMATS:
        return _export_network(context)
    if asked["what"] == PROMETHEUS:
        return _export_metrics(context)
    if asked["from"] is not None:
        print("procomu export: --from is for the formats of networks", file=sys.stderr)
        return EXIT_WRONG_USE
    file_format = FORMATS.get(asked["format"] or "csv")
    if file_format is None:
        print(f"procomu export: --format is {' or '.join(FORMATS)}", file=sys.stderr)
        return EXIT_WRONG_USE
    database = Path(read_config(context.config_path).node.data_dir) / DATABASE
    tables = export_tables(database, Path(asked["what"]), file_format, asked["table"] or "")
    left_out = [f"{each.table}: {', '.join(each.left_out)}" for each in tables if each.left_out]
    lines = [f"  {each.file}  {each.rows} rows" for each in tables]
    lines += [f"Left out, because they prove an identity: {'; '.join(left_out)}."] if left_out else []
    lines.append(
        "The files are not encrypted and are about people: delete them when they are no longer needed."
    )
    context.answer({"ok": True, "tables": [asdict(each) for each in tables]}, lines)
    return EXIT_YES


def _export_network(context: CommandContext) -> int:
    asked = context.asked
    if asked["format"] or asked["table"]:
        print("procomu export: --format and --table are for the tables of the database", file=sys.stderr)
        return EXIT_WRONG_USE
    if asked["from"] is not None:
        document = _other_network(asked["what"], Path(asked["from"]))
    else:
        document = answer_to(context, {"ask": "export", "format": asked["what"]})["document"]
    if context.wants_json:
        # JSON inside JSON is of no use to a program.
        is_json = document.startswith("{")
        context.answer(json.loads(document) if is_json else {"ok": True, "document": document}, [])
    else:
        context.out.write(document if document.endswith("\n") else f"{document}\n")
    return EXIT_YES


def _export_metrics(context: CommandContext) -> int:
    if any(context.asked[each] for each in ("format", "table", "from")):
        print("procomu export: metrics take none of --format, --table and --from", file=sys.stderr)
        return EXIT_WRONG_USE
    document = answer_to(context, {"ask": "metrics"})["document"]
    context.answer({"ok": True, "document": document}, document.splitlines())
    return EXIT_YES


def _other_network(name: str, path: Path) -> str:
    """The network in a CNML file, in another format."""
    from node.export.cnml_reader import read_cnml  # noqa: PLC0415
    from node.export.formats import FORMATS  # noqa: PLC0415

    try:
        with path.open("rb") as file:
            return FORMATS[name].write(read_cnml(file, _now()))
    except OSError as error:
        raise NodeError(f"{path} cannot be read: {error.strerror}", "name the CNML file of a zone") from error


def reset(context: CommandContext) -> int:
    """The kernel is cleaned before anything is deleted: a reset that is interrupted later is finished by a start,
    which ends there."""
    from node.backup.restore import reset as delete  # noqa: PLC0415

    config = _settled_config(context)

    def before() -> None:
        name, file, is_asking = config.node.name, context.asked["backup"], not context.asked["yes"]
        if is_asking:
            if not _is_on_terminal(context):
                raise NodeError("nothing was deleted: a reset must be confirmed", "give --yes")
            question = f"This deletes all of the node {clean(name)}: settings, rules, members, keys, vouchers, counts."
            print(question, file=context.out)
            file = file or _typed("File for a backup first, or nothing for none: ")
        if file:
            lines = _made_lines(context, file, _create(context, config, file))
            if not context.wants_json:
                print("\n".join(lines), file=context.out)
        if is_asking and _typed("Type the node's name to delete it: ") != name:
            raise NodeError("nothing was deleted: this is not the node's name", f"type {clean(name)}")
        cleanup_kernel(context.config_path)

    removed = delete(context.config_path, config, before)
    lines = [*(f"{context.terminal.dim('deleted')}  {path}" for path in removed), "", "Next: procomu init"]
    context.answer({"ok": True, "deleted": list(removed)}, lines)
    return EXIT_YES


def _settled_config(context: CommandContext) -> NodeConfig:
    """The settings, after a restore or reset that was interrupted was finished."""
    from node.backup.offline import finish_changes  # noqa: PLC0415

    finish_changes(context.config_path)
    return read_config(context.config_path)


def _opened(name: str) -> contextlib.AbstractContextManager[BinaryIO]:
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise NodeError(
            f"{name} cannot be read: {(error.strerror or str(error)).lower()}", "name a backup"
        ) from error


def _secret(context: CommandContext) -> bytes:
    """From the file of --key, or typed."""
    from node.backup.age import read_recovery_key  # noqa: PLC0415

    name = context.asked["key"]
    if name is None:
        return _typed_secret(context)
    try:
        with Path(name).open("rb") as file:
            return read_recovery_key(file.read(KEY_FILE_BYTES_MAX).decode())
    except OSError as error:
        raise NodeError(
            f"{name} cannot be read: {error.strerror}", "give the file with the recovery key"
        ) from error
    except ValueError as error:
        reason = "it is not text" if isinstance(error, UnicodeDecodeError) else str(error)
        raise NodeError(
            f"{name} has no recovery key: {reason}", "correct it, as it is on the sheet"
        ) from error


def _typed_secret(context: CommandContext) -> bytes:
    from node.backup.age import read_recovery_key  # noqa: PLC0415

    if not _is_on_terminal(context):
        raise NodeError("a backup is opened with the recovery key", "give its file with --key")
    for _ in range(TRIES):
        try:
            return read_recovery_key(_typed("Recovery key: "))
        except ValueError as error:
            wrong = str(error)
            print(wrong, file=context.out)
    raise NodeError(f"this is no recovery key: {wrong}", "type it as it is on the sheet")


def _typed(question: str) -> str:
    try:
        return input(question).strip()
    except (EOFError, KeyboardInterrupt) as ended:
        raise NodeError(
            "nothing was changed", "start again; 'procomu COMMAND --help' shows the options"
        ) from ended


def _is_on_terminal(context: CommandContext) -> bool:
    return sys.stdin.isatty() and context.out.isatty() and not context.wants_json


def _now() -> datetime:
    return datetime.now(UTC).astimezone()


BACKUP_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {
    "backup create": backup_create,
    "backup key": backup_key,
    "backup check": backup_check,
    "restore": restore,
    "export": export,
    "reset": reset,
}
