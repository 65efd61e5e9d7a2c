"""Sessions: the state of each device, the table of all of them, device limits, and their traffic classes."""
