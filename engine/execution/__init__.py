"""How orders are placed, followed, repaired after a failure, and stopped."""
