"""Checks of a machine and its node: `facts` collects the state, `diagnoses` says what is wrong and how to fix
it."""
