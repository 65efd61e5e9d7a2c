"""Sessions: the state of each device, the session table, device limits and traffic classes."""
