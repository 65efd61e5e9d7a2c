"""Who belongs together, and how people come in: accounts, their devices, and the ways to them."""
