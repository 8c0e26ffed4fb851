"""The networks, their losses and the train step."""

import dcgan_tf.backend  # noqa: F401  first, so that TensorFlow is imported quietly
