"""Pictures: grids, animations, curves. Pixels only."""
