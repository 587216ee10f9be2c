"""From what arrived to what can be believed: checks, duplicates, outliers, and what sale conditions mean."""
