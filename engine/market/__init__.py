"""Market data from the socket to candles: stream, normaliser, candles, history."""
