"""Strategies: pure functions of history. `base` is the protocol, `catalogue` the list, the rest are the rules."""
