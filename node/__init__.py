"""A community network's node, room by room, in reading order.

The mesh tells us who our neighbours are, the captive portal who our guests are, `membership` who belongs together;
`accounting` records what they used, `governance` says what each may use and why, `enforcement` makes the kernel
agree, `storage` remembers, and the `daemon` keeps them all alive.

Start with `units` and `errors`, then `governance.rules`, `accounting.ledger`, `enforcement.plan`; `reconciler` is
the loop that joins them, `daemon` wires every edge on one screen.
"""
