"""What the kernel must do: one plan, rendered by pure code, applied in one transaction."""
