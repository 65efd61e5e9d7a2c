"""``python -m node`` is ``procomu``."""

from node.cli import main

raise SystemExit(main())
