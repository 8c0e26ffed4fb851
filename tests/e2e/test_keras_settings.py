"""The user's own settings of Keras do not reach the networks."""

import json
import subprocess
import sys

import pytest

from tests.e2e.commands import environment

CODE = """
import numpy as np
import dcgan_tf
from dcgan_tf.gan.dcgan import DCGAN
gan = DCGAN(dcgan_tf.preset("article", image_size=32, g_width=4, d_width=4))
print(gan.generate(2).shape, {str(v.dtype) for v in gan.generator.variables})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{"image_data_format": "channels_first"}, {"floatx": "float64", "backend": "torch"}]
)
def test_a_keras_json_of_other_work_changes_nothing(tmp_path, settings):
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    env = environment(KERAS_HOME=str(tmp_path))
    end = subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=True)
    assert end.stdout == "(2, 32, 32, 3) {'float32'}\n"


def test_another_backend_is_one_sentence(tmp_path):
    end = subprocess.run(
        [sys.executable, "-m", "dcgan_tf.train", "--dataset=folder", f"--data_dir={tmp_path}"],
        cwd=tmp_path, env=environment(KERAS_BACKEND="jax"), capture_output=True, text=True,
    )  # fmt: skip
    assert end.returncode == 2
    assert end.stderr == "error: dcgan_tf needs Keras on TensorFlow: unset KERAS_BACKEND, or set it to tensorflow.\n"
