"""The window: a Qt front end that knows the engine by its protocol and its views."""
