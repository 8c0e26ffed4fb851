"""The presets: recipes by name, each as its differences from the article's."""

from __future__ import annotations

from typing import Any

# The best recipe of `experiments/recipes` in five minutes; hours are not measured yet.
_MODERN = {
    "precision": "auto",
    "g_width": 0,
    "d_width": 0,
    "d_kernel": 4,
    "upsampling": "resize",
    "augment": "translation",
    "batch_size": 16,
    "g_steps": 1,
    "learning_rate": 8e-4,
    "decay": 0.25,
    "ema": 0.9999,
    "ema_ramp": 5.0,
}

# Each preset: its purpose, and the settings that differ from the article's.
PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "article": (
        "the article's networks and training, float32; with --held_out=0 on every image, as there",
        {},
    ),
    "fast": ("the article's networks and algorithm, in bfloat16 compute where that is faster", {"precision": "auto"}),
    "paper": (
        "Radford et al. 2016: N(0, 0.02) weights, 1D:1G, batch 128, z ~ U[-1, 1]",
        {"initializer": "paper", "latent": "uniform", "g_steps": 1, "batch_size": 128},
    ),
    "lfw": (
        "faces, as the slides: z ~ U[-1, 1], two updates of the discriminator for one of the generator, 30 epochs",
        {"dataset": "lfw", "latent": "uniform", "d_steps": 2, "g_steps": 1, "precision": "auto"},
    ),
    "quick": (
        "drawn roads and the recipe modern, for three and a half minutes",
        _MODERN
        | {
            "dataset": "synthetic_road",
            "crop": "square",
            "minutes": 3.5,
            "sample_every": 250,
            "evaluate_every": 3000,
        },
    ),
    "stable": (
        "the first recipe chosen by measurement: bfloat16 where it is faster, 1D:1G, batch 32, learning rate 4e-4, "
        "resize-convolutions, images moved at random before D, averaged generator",
        {
            "precision": "auto",
            "g_steps": 1,
            "batch_size": 32,
            "learning_rate": 4e-4,
            "upsampling": "resize",
            "augment": "translation",
            "ema": 0.995,
        },
    ),
    "modern": (
        "our best recipe for minutes, chosen by measurement: as stable, with networks as wide as the steps are "
        "worth, 4x4 kernels in D, learning rate 8e-4 that falls at the end, and an average over a fifth of the steps",
        _MODERN,
    ),
}
