"""Set-up mode in a namespace: ``python -m tests.lab.setup_mode CONFIG RUN_DIR STATE_FOLDER`` instead of ``procomu run``,
which uses the folders of this machine; and what a person types on its pages."""

import sys
from pathlib import Path

from node.setup import mode

COMMUNITY, ADMIN, PASSPHRASE = "Vall Alta", "Maria", "four words walk home"
TYPED = {
    "community": COMMUNITY,
    "admin_name": ADMIN,
    "passphrase": PASSPHRASE,
    "passphrase_again": PASSPHRASE,
}
"""Fields whose proposals are not accepted; the others are left as they are."""


def main(config: str, run_dir: str, state_folder: str) -> int:
    # Not this machine's login prompt and screen.
    mode.CONSOLE, mode.ISSUE = Path(run_dir) / "console", Path(run_dir) / "issue"
    return mode.main(Path(config), Path(run_dir), Path(state_folder))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
