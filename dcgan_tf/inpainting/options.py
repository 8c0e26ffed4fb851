"""The choices of an inpainting, by name; here, so that a wrong one is refused before TensorFlow is imported."""

LOSSES = ("slides", "paper", "non_saturating")
OPTIMIZERS = ("adam", "momentum")
BLENDS = ("poisson", "paste")
