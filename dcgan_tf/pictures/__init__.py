"""Grids, animations and curves. The modules work on pixels and know nothing of runs or networks."""
