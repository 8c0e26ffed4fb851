"""The sources' claims, A1 to F4: what is published, and the row of a study or the tests that check it."""

from __future__ import annotations

from dataclasses import dataclass

# Modules with ROWS, and the folders of their records.
STUDIES = {
    "experiments.initialization.rows": "experiments/initialization/results",
    "experiments.optimizers.rows": "experiments/optimizers/results",
    "experiments.gan_theory.rows": "experiments/gan_theory/results",
    "experiments.convolution.rows": "experiments/convolution/results",
    "experiments.reproduction.networks": "experiments/reproduction/results",
}
# id -> name of each row that a study makes; those after E4 go beyond the sources.
NAMES = {
    "A1": "generator",
    "A2": "discriminator",
    "A3": "initial_weights",
    "A4": "training_time",
    "A13": "updates_per_player",
    "A14": "gradient_play",
    "A15": "mode_collapse",
    "A16": "vanishing_gradients",
    "B3": "optimal_discriminator",
    "B4": "value_at_optimum",
    "B5": "divergences",
    "B6": "algorithm_1",
    "B7": "im2col",
    "B8": "xavier",
    "B9": "he",
    "B10": "input_mean",
    "C1": "variance_product",
    "C2": "forward_backward",
    "D1": "optimizer_paths",
    "D2": "optimizers_on_mnist",
    "D3": "equal_weights",
    "D4": "activation_histograms",
    "D5": "momentum_isotropic",
    "D6": "vanishing_steps",
    "D7": "rate_decay",
    "E1": "tanh_100_layers",
    "E2": "xavier_100_layers",
    "E3": "relu_100_layers",
    "E4": "framework_defaults",
    "INIT-CONV": "convolution_fans",
    "INIT-DCGAN": "dcgan_initialization",
    "OPT-FORMULAS": "optimizer_formulas",
    "OPT-RATES": "learning_rates",
    "OPT-DCGAN": "dcgan_optimizers",
    "CONV-TRANSPOSED": "transposed_convolution",
    "CONV-CHECKERBOARD": "checkerboard",
}


@dataclass(frozen=True)
class Source:
    """A row as its source document has it.

    Attributes:
      what, published: cells of the table where no study has made the row.
      command: what produces it; "" if a row of `NAMES` does.
      tests: pytest's names of the tests that check it.
      not_run: the part of the published claim that has not been run.
    """

    what: str
    published: str
    command: str = ""
    tests: tuple[str, ...] = ()
    not_run: str = ""


_TRAIN, _GENUINE = "python -m dcgan_tf.train --dataset=sully_chen", "30 epochs on the 63,825 genuine frames"
_LAYERS = "python -m dcgan_tf.visualize_layers"

SOURCES: dict[str, Source] = {
    # The article.
    "A1": Source("generator", "4x4x512; 256, 128, 64; 64x64x3 (the code; the prose contradicts it)"),
    "A2": Source("discriminator", "64, 128, 256, 512; LeakyReLU 0.2 (the code; the prose says ReLU)"),
    "A3": Source("initial weights", "Glorot normal; gamma ~ N(1, 0.02)"),
    "A4": Source("training", "30 epochs x 997 steps at about 0.463 s"),
    "A5": Source(
        "preprocessing",
        "centre crop 108, resized to 64, scaled to [-1, 1]; interpolation unknown",
        "python -m dcgan_tf.prepare --dataset=sully_chen --check",
        (
            "tests/datasets/test_images.py::test_a_crop_of_n_is_the_central_n_pixels",
            "tests/datasets/test_images.py::test_resizing_is_the_antialiased_bicubic_of_keys",
            "tests/gan/test_models.py::test_pixels_survive_the_way_to_float_and_back",
        ),
    ),
    "A6": Source(
        "console line",
        "18 lines, d_loss 0.465 to 1.450, g_loss 0.461 to 1.986",
        _TRAIN,
        ("tests/training/test_metrics_log.py::test_a_line_of_the_log_is_the_articles",),
        f"the range of the losses: {_GENUINE}",
    ),
    "A7": Source(
        "8x8 grid of a fixed z every 500 steps",
        "figures 1.7, 1.8",
        _TRAIN,
        (
            "tests/training/test_loop.py::test_the_pictures_of_a_run",
            "tests/training/test_loop.py::test_the_sample_grid_is_of_the_averaged_generator_and_a_fixed_z",
        ),
        _GENUINE,
    ),
    "A8": Source(
        "random real samples",
        "figure 1.6",
        "python -m dcgan_tf.prepare --dataset=sully_chen --check",
        ("tests/datasets/test_preparing.py::test_random_samples_are_real_images_without_repetition",),
    ),
    "A9": Source(
        "loss curves",
        "plotted against step time, by mistake",
        _TRAIN,
        (
            "tests/training/test_loop.py::test_the_pictures_of_a_run",
            "tests/e2e/test_runs.py::test_tensorboard_serves_every_scalar_with_the_values_of_the_metrics_file",
        ),
        _GENUINE,
    ),
    "A10": Source(
        "layer figures of G",
        "figures 1.9 to 1.12, layers 1 to 4",
        _LAYERS,
        ("tests/layer_figures/test_visualize.py::test_layer_figures_hold_the_maps_before_batch_norm_pixel_for_pixel",),
        _GENUINE,
    ),
    "A11": Source(
        "layer figures of D",
        "figures 1.13 to 1.15, layers 1 to 4",
        _LAYERS,
        ("tests/layer_figures/test_visualize.py::test_there_is_a_figure_of_every_kind_for_every_layer",),
        _GENUINE,
    ),
    "A12": Source(
        "the 20 grids of the reference's tool",
        "8 ReLU, 12 Conv2D, and its deconvolutions",
        f"{_LAYERS} --style=article",
        ("tests/layer_figures/test_visualize.py::test_article_style_writes_the_tools_20_grids",),
    ),
    "A13": Source("minimax value function", "equation 1"),
    "A14": Source("Nash equilibrium of F(u, v) = uv", "gradient play does not converge"),
    "A15": Source("mode collapse", "prose"),
    "A16": Source("diminished gradients", "prose"),
    # The slides.
    "B1": Source(
        "DCGAN on LFW",
        "13,233 faces, z ~ U[-1, 1], k = 2, batch 64, 30 epochs: pictures",
        "python -m dcgan_tf.train --preset=lfw",
        (
            "tests/datasets/test_lfw.py::test_photographs_by_person_wherever_the_archive_was_unpacked",
            "tests/gan/test_train_step.py::test_two_steps_agree_with_the_numpy_step",
        ),
        "all 13,233 photographs (30 epochs on 6,048 of them: docs/quality.md, Faces)",
    ),
    "B2": Source(
        "inpainting",
        "loss |M G(z) - M y|_1 + 0.2 log(1 - D(G(z))): pictures",
        "python -m dcgan_tf.inpaint --loss=slides",
        (
            "tests/inpainting/test_completing.py::test_the_objective_is_its_formula",
            "tests/inpainting/test_completing.py::test_the_z_of_a_generated_image_is_found_again",
        ),
    ),
    "B3": Source("optimal D", "p_data / (p_data + p_g)"),
    "B4": Source("V(G, D*)", "-log 4 + 2 JS; least -log 4 = -1.386294"),
    "B5": Source("KL and JS", "KL >= 0, not symmetric; JS in [0, log 2]"),
    "B6": Source("Algorithm 1", "k updates of D, one of G"),
    "B7": Source("convolution as im2col + GEMM", "Y = X W + b"),
    "B8": Source("Xavier", "1/n, 1/n_out, 2/(n_in + n_out)"),
    "B9": Source("He", "2/n or 2/n_hat, a constant apart"),
    "B10": Source("inputs of mean 0", "subtract the mean"),
    # The derivation of Xavier's rule.
    "C1": Source("product of n Var(w) over layers", "explodes above 1, vanishes below"),
    "C2": Source("forward, backward, averaged", "+-sqrt(6 / (n_in + n_out))"),
    # Optimisers and initial values.
    "D1": Source("optimisers on x^2/20 + y^2", "figures"),
    "D2": Source("optimisers on MNIST", "losses every 100 iterations"),
    "D3": Source("zero initial weights", "hidden units stay identical"),
    "D4": Source("activation histograms", "figures"),
    "D5": Source("Momentum where all directions are equally steep", "no swings; open questions"),
    "D6": Source("size of AdaGrad's and RMSProp's updates", "AdaGrad's go to 0, RMSProp's do not"),
    "D7": Source("learning-rate decay", "prose"),
    # Notes on initialisation.
    "E1": Source("100 layers of tanh, U(-1, 1) sqrt(1/512)", "mean 3.7062e-26, std 9.9671e-25"),
    "E2": Source("the same with Xavier uniform", "keeps the signal"),
    "E3": Source("100 layers of ReLU", "Xavier vanishes, Kaiming keeps it"),
    "E4": Source("defaults of frameworks", "PyTorch Kaiming uniform a = sqrt(5); Keras Glorot uniform"),
    # The commands.
    "F1": Source(
        "training by command",
        _TRAIN,
        _TRAIN,
        (
            "tests/datasets/test_sully_chen.py::test_the_format_of_2018",
            "tests/e2e/test_exact_resume.py::test_the_same_weights_slots_and_averages_bit_for_bit",
        ),
        _GENUINE,
    ),
    "F2": Source(
        "TensorBoard while it trains",
        "loss monitoring",
        "tensorboard --logdir runs",
        ("tests/e2e/test_runs.py::test_tensorboard_serves_every_scalar_with_the_values_of_the_metrics_file",),
    ),
    "F3": Source(
        "layers by command",
        _LAYERS,
        _LAYERS,
        ("tests/layer_figures/test_visualize.py::test_there_is_a_figure_of_every_kind_for_every_layer",),
    ),
    "F4": Source(
        "tf.function train step",
        "runs on GPU, CPU, several devices or machines",
        _TRAIN,
        (
            "tests/gan/test_train_step.py::test_two_steps_agree_with_the_numpy_step",
            "tests/distributed/test_replicas.py::test_two_replicas_do_the_steps_of_one",
            "tests/e2e/test_workers.py::test_two_workers_do_what_one_does_and_the_chief_alone_writes",
        ),
        "several GPUs, machines of their own (two workers ran on one machine)",
    ),
}

# Errors of the sources that no row shows, in Markdown.
ERRORS = (
    'Slides, on LFW: "4,096 people have one image only". With the 1,680 who have several that would be 5,776 of '
    "its 5,749 people; it is 4,069.",
    "Slides, optimal D: f''(a / (a + b)) is printed with 1 - a / (a + b) in its second denominator, without the "
    "square: it is -a / y² - b / (1 - y)². The sign, which the proof needs, is the same.",
    "Slides, Xavier: z_j ~ N(0, n σ_x σ_w) and all that follows from it have standard deviations where the "
    "variances σ_x² and σ_w² belong.",
    "Slides, He: the product of n_l Var[w_l] under the backward condition lacks the factors 1/2 of the formula "
    "before it. With Var[w_l] = 2 / n̂_l the printed product is 2^(L-1) d_1 / d_L.",
    'Article, prose: z and gamma come from a "uniform" distribution of a mean and a standard deviation; its code '
    "draws both from a normal distribution.",
    "Article, prose: D is trained more often than G, to stay the stronger one; its code makes one update of D and "
    "two of G.",
    'Article, prose: three transposed convolutions, each of depth "64 * 4", the last one with tanh; its code has '
    "four, of 256, 128, 64 and 3 maps.",
)
