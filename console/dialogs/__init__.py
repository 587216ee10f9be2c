"""Dialogs; opened without blocking, never by exec()."""
