"""Qt models over the tables of `engine.views`."""
