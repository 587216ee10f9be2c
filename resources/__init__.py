"""Files that are shipped with the program: fonts and report templates."""
