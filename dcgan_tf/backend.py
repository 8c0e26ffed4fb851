"""TensorFlow and Keras, imported without their start-up messages: `from dcgan_tf.backend import keras, tf`.

Every module of the package takes them from here, so that the settings below hold wherever TensorFlow is first needed.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile

from dcgan_tf.errors import UserError

# 3 also hides "remapper failed" (an optimiser's note, marked as an error, that costs nothing); what really
# fails arrives as an exception.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Take of a GPU's memory what is needed, so that another command can run beside a training.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def _import_tensorflow_quietly() -> None:
    """TensorFlow writes some lines to file descriptor 2 before its log level counts: keep them back."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held_back:
        stderr = os.dup(2)
        os.dup2(held_back.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except Exception:
            held_back.seek(0)
            os.write(stderr, held_back.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


# How often a function is traced is no concern of the user's.
logging.getLogger("tensorflow").setLevel(logging.ERROR)

if os.environ["KERAS_BACKEND"] != "tensorflow":
    raise UserError("dcgan_tf needs Keras on TensorFlow: unset KERAS_BACKEND, or set it to tensorflow.")
if "tensorflow" not in sys.modules:
    _import_tensorflow_quietly()

import keras as keras  # noqa: E402  after the settings above
import tensorflow as tf  # noqa: E402
from keras import layers, ops  # noqa: E402

keras.config.set_image_data_format("channels_last")  # ours, whatever the user's keras.json says

__all__ = ["keras", "layers", "ops", "tf"]
