"""The admins' own door: who is on, the rules in force, peers, warnings, and the rule editor."""
