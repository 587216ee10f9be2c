"""One file for each step; its number is the form of the database after it."""
