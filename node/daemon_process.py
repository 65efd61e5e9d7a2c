"""The process of a node: reads its files, runs it until it is told to stop, and ends in time."""

import asyncio
import contextlib
import sys
import threading
from pathlib import Path

from node import memory_tuning
from node.app.rule_files import load_config
from node.backup.offline import claim, discard_staged, finish_changes
from node.daemon import STOP_S, Node
from node.enforcement.kernel import linux_kernel
from node.errors import InvalidFile, NodeError
from node.interface_addresses import find_interfaces
from node.lan.dnsmasq import end_setup
from node.process import begin_service, keep_private, outcome_of, run_until_signalled
from node.setup.first_files import forget_code

SETUP_ENDS_S = 60.0
"""Longer than the set-up takes to end once there are settings: it gives addresses back, and stops its dnsmasq."""


def main(config_path: Path, version: str = "") -> int:
    """Runs a node, which shows `version`, until SIGTERM or SIGINT. Returns 0 after a normal stop, 2 when the files are
    invalid, 1 after a failure."""
    begin_service()
    memory_tuning.prepare()
    with contextlib.ExitStack() as held:
        try:
            finish_changes(config_path)
            config = load_config(config_path)
            keep_private(Path(config.node.data_dir))
            find_interfaces(config)
            held.enter_context(claim(Path(config.node.run_dir), patience_s=SETUP_ENDS_S))
            with contextlib.suppress(OSError):
                discard_staged(config_path, Path(config.node.data_dir))
                forget_code(config_path.parent)
            end_setup(config)
            node = Node(config, linux_kernel(flow_offload=config.uplink.flow_offload), version, config_path)
        except InvalidFile as invalid:
            sys.stderr.write(f"{invalid}\n")
            return 2
        except NodeError as trouble:
            sys.stderr.write(f"{trouble.message}\n  fix: {trouble.fix}\n")
            return 2
        try:
            return asyncio.run(run_node(node))
        finally:
            node.close()


async def run_node(node: Node) -> int:
    """Runs the node until SIGTERM or SIGINT; then it ends within `STOP_S` seconds, even if something hangs."""
    deadline = threading.Timer(STOP_S, node.give_up)
    deadline.daemon = True
    return await run_until_signalled(outcome_of(node.run), deadline.start)
