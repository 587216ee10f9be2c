"""The command line without a window: `python -m engine.cli`; `paddock` adds the console to it."""
