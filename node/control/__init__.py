"""The control loop: read the counters, book the usage, evaluate the rules, plan, and apply to the kernel."""
