"""The FLOP of a step, the peers' networks, and interleaved timing."""

import importlib.util
import json

import numpy as np
import pytest
from absl import flags as absl_flags

from dcgan_tf.config import preset
from experiments.framework import timing
from experiments.framework.flop import discriminator_layers, generator_layers, step_flop
from experiments.performance import step

TINY = {"image_size": 64, "g_width": 2, "d_width": 2, "batch_size": 4, "latent_dim": 5}
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")


@pytest.mark.parametrize(
    "reuse, exact, gflop", [(True, False, 331.4), (True, True, 277.8), (False, False, 352.2), (False, True, 295.4)]
)
def test_the_flop_of_a_step_is_what_was_counted_independently(reuse, exact, gflop):
    """Counted independently: 1D:2G at batch 64, nominal and exact, with and without reuse of G's pass."""
    assert step_flop(preset("article"), exact, reuse) / 1e9 == pytest.approx(gflop, abs=0.05)


def test_the_flop_of_a_layer_by_hand():
    """64 images, 16x16 positions, 25 taps, 64 maps to 128: a multiplication and an addition each."""
    second = 2 * 64 * 16 * 16 * 25 * 64 * 128
    assert discriminator_layers(preset("article"), exact=False)[1] == second
    assert generator_layers(preset("article"), exact=False)[3] == second
    # Of the 5 taps of 16 positions 1 lies before the image and 2 after it.
    assert discriminator_layers(preset("article"), exact=True)[1] == pytest.approx(second * (77 / 80) ** 2)


@needs_torch
def test_the_peers_networks_have_the_right_numbers_of_weights():
    from dcgan_tf.gan.dcgan import DCGAN
    from experiments.framework.peers import TorchDCGAN, TorchExample

    def counts(gan):
        return [sum(p.numel() for p in network.parameters()) for network in (gan.generator, gan.discriminator)]

    config = preset("article")
    ours = [sum(int(np.prod(v.shape)) for v in n.trainable_variables) for n in DCGAN(config).networks().values()]
    assert counts(TorchDCGAN(config)) == ours
    assert counts(TorchExample(config)) == [3_576_704, 2_765_568]  # of examples/dcgan, nz 100, ngf = ndf = 64


@needs_torch
@pytest.mark.parametrize("channels_last", [False, True])
def test_the_peers_first_step_is_adams(channels_last):
    """Adam's first step is the learning rate in size for every weight, whatever its gradient (epsilon aside)."""
    from experiments.framework.peers import TorchDCGAN

    peer = TorchDCGAN(preset("article", **TINY, g_steps=1, learning_rate=0.01), channels_last)
    weights = [w for network in (peer.generator, peer.discriminator) for w in network.parameters()]
    before = [w.detach().numpy().copy() for w in weights]
    losses = peer(np.full((1, 4, 64, 64, 3), 240, np.uint8), 0)
    for old, new in zip(before, weights):
        assert np.median(np.abs(new.detach().numpy() - old)) == pytest.approx(0.01, rel=0.01)
    assert losses["d_loss"] == pytest.approx(2 * np.log(2), abs=0.5)  # D cannot tell real from generated yet
    images = peer.generate(5, seed=1)
    assert images.shape == (5, 64, 64, 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(images, peer.generate(5, seed=1))


def test_variants_take_turns_and_ratios_are_of_one_round(monkeypatch):
    calls, now = [], [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def taking(name, seconds):
        def run(count):
            calls.append((name, count))
            now[0] += count * next(seconds)

        return run

    variants = {"a": taking("a", iter([9, 1, 2, 4])), "b": taking("b", iter([9, 4, 4, 4]))}
    seconds = timing.time_interleaved(variants, rounds=3, count=5)
    assert calls == [("a", 2), ("b", 2)] + [("a", 5), ("b", 5)] * 3
    assert seconds == {"a": [1, 2, 4], "b": [4, 4, 4]}
    assert timing.ratios(seconds, "b")["a"] == (0.5, 0.25, 1.0)


@pytest.fixture
def given(tmp_path):
    """Sets the flags of the command."""

    def give(*args):
        absl_flags.FLAGS.unparse_flags()
        absl_flags.FLAGS(["benchmark_step", *(f"--{k}={v}" for k, v in TINY.items()), *args])

    yield give
    absl_flags.FLAGS.unparse_flags()


def test_a_measurement_from_start_to_picture(given, tmp_path, capsys):
    output, figure = tmp_path / "step.json", tmp_path / "step.png"
    names = "ours_float32,tf_tutorial_float32,keras_fit_float32"
    given("--rounds=2", "--steps=1", f"--only={names}", f"--output={output}", f"--figure={figure}")
    step.main()
    found = json.loads(output.read_text())
    assert list(found["variants"]) == names.split(",")
    assert found["variants"]["tf_tutorial_float32"]["ratio_to_tf_tutorial_float32"] == [1, 1, 1]
    for row in found["variants"].values():
        assert len(row["seconds"]) == 2 and min(row["seconds"]) > 0
        rate = found["gflop_nominal"] / np.median(row["seconds"])
        assert row["gflop_per_second"] == pytest.approx(rate)
        assert row["peak"] == pytest.approx(rate / found["peaks_gflop_per_second"]["float32"])
    assert "| ours_float32 |" in capsys.readouterr().out
    assert figure.read_bytes()[:4] == b"\x89PNG"


def test_an_unknown_variant_is_a_sentence(given):
    given("--only=ours_float32,mine")
    with pytest.raises(step.UserError, match="--only=mine: it can be ours_float32, "):
        step.main()
