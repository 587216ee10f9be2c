"""Charts on pyqtgraph."""
