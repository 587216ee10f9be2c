"""What outlives a run: the order journal and the market database."""
