"""Usage accounting: counter deltas that survive counter resets, and usage buckets that only grow. Independent
of the rules."""
