"""The pages in a real Chromium, on this machine and behind a real node."""
