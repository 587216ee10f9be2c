"""The market database: what the recorder heard on the hub, in SQLite or PostgreSQL; it can always be made anew."""
