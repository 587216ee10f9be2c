"""The hub between processes: what is said (`messages`), how it travels (`base`, `zeromq`)."""
