"""One panel for each tab."""
