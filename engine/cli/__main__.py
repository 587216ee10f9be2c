"""`python -m engine.cli`: every command but the window."""

from engine.cli.app import main

main()
