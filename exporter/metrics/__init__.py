"""Facts and problems in, lines out: one file per family group; `catalogue.py` lists every family."""
