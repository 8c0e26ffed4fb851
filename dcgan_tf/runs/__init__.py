"""A run: its folder, its checkpoints, what it shows, and the loop."""

import dcgan_tf.backend  # noqa: F401  first, so that TensorFlow is imported quietly
