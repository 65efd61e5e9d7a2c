"""The front door, for people: capture, welcome, and one honest page about what you used and why you are limited."""
