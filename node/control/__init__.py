"""The loop: read the counters, book them, evaluate the rules, plan, apply; at its own pace."""
