"""The rules, one small function each: None when the order may pass, else why it may not and what to do.

A rule that lacks what it needs refuses: fail closed. Rules for reductions are few, because whoever wants less risk must
get it; see `engine.risk.gate`.
"""
