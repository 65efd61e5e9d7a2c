"""Real Chromium: people's pages as a browser shows them, on this machine and behind a real node."""
