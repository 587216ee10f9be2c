"""The trading engine: everything that works without a window. Nothing below imports Qt."""

__version__ = "0.1.0"
