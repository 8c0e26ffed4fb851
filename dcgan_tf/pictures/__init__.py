"""Pictures: grids, animations, curves."""
