"""The front door, for people: capture, welcome, one honest page about what you used and what limits you."""
