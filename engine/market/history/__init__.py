"""The past: what the feed answers when it is asked for bars, and ranges of bars from whichever store has them."""
