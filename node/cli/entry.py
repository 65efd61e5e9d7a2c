"""Entry point: from command line arguments to an exit code."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from node.cli.alert_commands import ALERT_COMMANDS
from node.cli.arguments import EXIT_NO, EXIT_NO_NODE, EXIT_WRONG_USE, EXIT_YES, make_parser
from node.cli.backups import BACKUP_COMMANDS
from node.cli.commands import COMMANDS, CommandContext, version
from node.cli.event_commands import EVENT_COMMANDS
from node.cli.gateway_commands import GATEWAY_COMMANDS
from node.cli.history_commands import HISTORY_COMMANDS
from node.cli.ladder_commands import LADDER_COMMANDS
from node.cli.metrics_commands import METRICS_COMMANDS
from node.cli.node_commands import NODE_COMMANDS
from node.cli.rule_commands import RULE_COMMANDS
from node.cli.terminal import Terminal, clean
from node.console import NoRunningNode
from node.errors import InvalidFile, NodeError


def commands_beside(verb: str) -> Mapping[str, Callable[[CommandContext], int]]:
    """The commands among which this one is. Those about the community load cryptography, which takes a while on a small
    board."""
    if verb == "import":
        from node.cli.import_commands import IMPORT_COMMANDS  # noqa: PLC0415

        return IMPORT_COMMANDS
    if verb.split(maxsplit=1)[0] != "community":
        return {
            **COMMANDS,
            **RULE_COMMANDS,
            **LADDER_COMMANDS,
            **GATEWAY_COMMANDS,
            **BACKUP_COMMANDS,
            **HISTORY_COMMANDS,
            **EVENT_COMMANDS,
            **METRICS_COMMANDS,
            **ALERT_COMMANDS,
            **NODE_COMMANDS,
        }
    from node.cli.community_admins import ADMIN_COMMANDS  # noqa: PLC0415
    from node.cli.community_commands import COMMUNITY_COMMANDS  # noqa: PLC0415
    from node.cli.community_files import FILE_COMMANDS  # noqa: PLC0415
    from node.cli.told_commands import TOLD_COMMANDS  # noqa: PLC0415

    return {**COMMUNITY_COMMANDS, **ADMIN_COMMANDS, **FILE_COMMANDS, **TOLD_COMMANDS}


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code (see `arguments.EXITS`). Output goes to stdout, errors to
    stderr."""
    asked = vars(make_parser(version).parse_args(words))
    told = CommandContext(asked, _terminal(sys.stdout), sys.stdout)
    try:
        return commands_beside(asked["verb"])[asked["verb"]](told)
    except NoRunningNode as trouble:
        return _say(trouble, told, EXIT_NO_NODE)
    except InvalidFile as trouble:
        return _say(trouble, told, EXIT_WRONG_USE)
    except NodeError as trouble:
        return _say(trouble, told, EXIT_NO)
    except BrokenPipeError:
        # The reader has closed the pipe; without this Python would report the error again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_YES
    except KeyboardInterrupt:
        return EXIT_YES


def _say(trouble: NodeError, told: CommandContext, code: int) -> int:
    if told.wants_json:
        print(json.dumps(_as_json(trouble), ensure_ascii=False))
        return code
    terminal = _terminal(sys.stderr)
    if isinstance(trouble, InvalidFile):
        print(trouble.message, file=sys.stderr)
    else:
        print(f"{terminal.bad('✗')} {clean(trouble.message)}\n  fix: {clean(trouble.fix)}", file=sys.stderr)
    return code


def _as_json(trouble: NodeError) -> Mapping[str, Any]:
    return {"ok": False, "message": trouble.message, "fix": trouble.fix}


def _terminal(stream: TextIO) -> Terminal:
    return Terminal(
        coloured=stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )
