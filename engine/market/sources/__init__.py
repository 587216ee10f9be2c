"""Where market data comes from: one protocol, and its kinds."""
