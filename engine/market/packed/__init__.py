"""Frames of Alpaca's data stream straight into columns, without an object for each message."""
