"""Disaster recovery: everything of an installation that a person would miss, in one folder that proves itself whole."""
