"""What was used: meters that survive counter resets, and usage cells that only grow. Knows nothing of rules."""
