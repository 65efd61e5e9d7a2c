"""The village without a kernel."""
