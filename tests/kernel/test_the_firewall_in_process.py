"""The daemon changes the firewall in its own process, without running nft(8)."""

import os
import time

import pytest

from node.enforcement.libnftables import Nftables
from node.lan import foreign_servers
from tests.bench.process_count import ProcessCount
from tests.lab.router import real_kernel_in_namespace

pytestmark = pytest.mark.kernel
TOLD_WITHIN_S = 0.5
"""Process events of the kernel's connector."""


def test_no_process_is_started_to_read_the_firewall():
    # The connector reports processes in the initial network namespace only.
    with ProcessCount(os.getpid()) as births, real_kernel_in_namespace() as kernel:
        time.sleep(TOLD_WITHIN_S)
        before = births.count
        assert before > 0, "the namespace was made by other programs"
        Nftables().close()
        kernel.table_use()
        foreign_servers.seen()
        time.sleep(TOLD_WITHIN_S)
        assert before == births.count
