"""What things are: market data, orders, positions, events and errors. Data only, no I/O."""
