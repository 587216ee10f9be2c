"""The hub between processes: what is said (`messages`), how it travels (`base`), and over what (`zeromq`, `redis`, `kafka`)."""
