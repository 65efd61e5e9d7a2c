"""A node of a community network. The packages, from the kernel's side up:

`enforcement` makes nftables and tc match the plan; `accounting` counts usage; `governance` evaluates the rules;
`accounts` and `sessions` hold people, their devices and their sessions; `control` is the loop that joins them; `app`
has the services that the captive portal, the admin pages, the console and the mesh call; `web` is what the portal and
`admin`, the admin pages, have in common. `storage` is the database, `lan` manages DHCP, DNS and router advertisements and
finds local services, `config` parses `node.toml`, and `daemon` creates all parts. `cli` is the command `procomu`, and
`doctor` its diagnoses.

Start with `units` and `errors`, then `governance.rules`, `accounting.ledger`,
`enforcement.plan` and `control.reconciler`.
"""
