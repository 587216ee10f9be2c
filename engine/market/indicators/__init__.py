"""Rolling indicators of many symbols at once: what they are, the kernel that moves them, the tables that hold them."""
