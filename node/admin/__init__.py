"""HTTP server for admins: status, people, vouchers, members, notices, objections, and the rule editor."""
