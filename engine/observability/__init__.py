"""What the engine knows of its own condition: log files, grouped errors."""
