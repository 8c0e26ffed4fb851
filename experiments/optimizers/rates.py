"""How sensitive each optimiser is to its learning rate, on the network of `optimizers_on_mnist`."""

from __future__ import annotations

import numpy as np

from dcgan_tf.console import progress
from experiments.framework.mnist import load_digits
from experiments.framework.study import AGREES, DIFFERS, Options, Row, new_figure
from experiments.optimizers.formulas import NAMES, OF_NAME, RATES, make_optimizer

CHANGED = '(in version 0.1.0 "agrees", as twice the least loss was enough for too large)'
FACTORS = tuple(float(10.0**k) for k in np.arange(-2, 2.25, 0.5))  # times the source's rate
UNTRAINED = np.log(10)  # nats: the loss of equal probabilities for ten digits
LATE = 50  # the last iterations, whose mean loss is compared


def learning_rates(options: Options) -> Row:
    """Measure the mean loss of the last 50 of 200 iterations at 1/100 to 100 times the source's learning rates."""
    from experiments.optimizers.network import Networks

    data = load_digits(options.data_dir)
    seeds, iterations, factors = (2, 60, FACTORS[::4]) if options.quick else (options.seeds, 200, FACTORS)
    names = NAMES[::3] if options.quick else NAMES
    late: dict[str, np.ndarray] = {}  # [factors, seeds]
    for name in progress(names, "learning_rates", unit="optimisers"):
        networks = Networks(data, make_optimizer(name, RATES[name]), range(seeds))
        found = [networks.train(iterations, factor * RATES[name])[-LATE:].mean(axis=0) for factor in factors]
        late[name] = np.nan_to_num(found, nan=np.inf)
    middle = {name: np.median(values, axis=1) for name, values in late.items()}
    best = {name: int(np.argmin(values)) for name, values in middle.items()}
    least = {name: float(values.min()) for name, values in middle.items()}
    # The range of rates at which the loss stays below twice the least one.
    room = {
        name: float(np.ptp(np.log10(factors)[middle[name] < 2 * least[name]])) for name in names
    }  # orders of magnitude
    return Row(
        title=f"sensitivity to the learning rate, {data.name}, {iterations} iterations",
        published="too small a rate takes too much time, too large a one diverges; against SGD the others learn faster",
        ours="least loss at "
        + ", ".join(f"{name} {factors[best[name]] * RATES[name]:.2g} ({least[name]:.3f})" for name in names)
        + "; at the source's rates "
        + ", ".join(f"{name} {middle[name][factors.index(1.0)]:.3f}" for name in names)
        + "; orders of magnitude with less than twice the least loss: "
        + ", ".join(f"{name} {value:.1f}" for name, value in room.items()),
        spread="at the best rate "
        + ", ".join(f"{name} [{late[name][b].min():.3f}, {late[name][b].max():.3f}]" for name, b in best.items())
        + f" ({seeds} seeds)",
        verdict=judge(middle, factors),
        numbers={
            "data": data.name,
            "best rate": {name: factors[b] * RATES[name] for name, b in best.items()},
            "least loss": least,
            "orders of magnitude": room,
        },
        table=[
            ["optimiser", "learning rate", *(f"seed {n}" for n in range(seeds))],
            *(
                [name, f"{factor * RATES[name]:.3g}", *(f"{v:.4f}" for v in values)]
                for name in names
                for factor, values in zip(factors, late[name])
            ),
        ],
        figures={"learning_rates": _figure(data.name, late, factors, iterations)},
    )


def judge(middle: dict[str, np.ndarray], factors: tuple[float, ...]) -> str:
    """The verdict on "too small a rate takes too much time, too large a one diverges".

    Too much time: at the smallest rate the loss is at least twice the least one. Diverges: at the largest rate it is
    above that of a network that has learned nothing.

    Args:
      middle: name -> median loss over the seeds by factor, [factors]; inf where it is not finite.
      factors: times the source's rates; the first is the smallest, the last the largest, and 1 is among them.
    """
    least = {name: float(values.min()) for name, values in middle.items()}
    at_source = {name: float(values[factors.index(1.0)]) for name, values in middle.items()}
    best = factors[int(np.argmin(middle["SGD"]))] * RATES["SGD"]
    others = [name for name in middle if name != "SGD"]
    said = [
        f"that SGD is the slowest owes much to its rate, at {best:.2g} its loss is "
        f"{at_source['SGD'] / least['SGD']:.1f} times less"
    ]
    if behind := [name for name in others if least[name] > least["SGD"]]:
        said[0] += f", less than that of {' and '.join(behind)} at its best"
    if slower := [name for name in others if at_source[name] > at_source["SGD"]]:
        said.append(f"slower than SGD at the source's rates: {', '.join(slower)}")
    quick = [name for name, values in middle.items() if values[0] < 2 * least[name]]
    bounded = [name for name, values in middle.items() if values[-1] < UNTRAINED]
    if not quick + bounded:
        return f"{AGREES}: at both ends; {'; '.join(said)}"
    reasons = []
    if quick:
        reasons.append(f"a hundredth of the rate is not too small for {', '.join(quick)}")
    if bounded:
        losses = " and ".join(f"{middle[name][-1]:.2f}" for name in bounded)
        reasons.append(
            f"a hundredfold rate does not diverge with {' and '.join(bounded)} (loss {losses}; nothing learned: "
            f"{UNTRAINED:.2f})"
        )
    return f"{DIFFERS}: {'; '.join(reasons)}; {'; '.join(said)} {CHANGED}"


def _figure(data: str, late: dict[str, np.ndarray], factors: tuple, iterations: int):
    figure = new_figure(9, 4.6)
    axis = figure.subplots()
    ceiling = 10.0
    for name, values in late.items():
        rates = np.array(factors) * RATES[name]
        axis.plot(
            rates, np.median(values, axis=1).clip(None, ceiling), "o-", color=OF_NAME[name], markersize=4, label=name
        )
        axis.fill_between(
            rates, *(f(values, axis=1).clip(None, ceiling) for f in (np.min, np.max)), color=OF_NAME[name], alpha=0.15
        )
        at = factors.index(1.0)
        axis.plot(
            rates[at],
            np.median(values[at]).clip(None, ceiling),
            "o",
            color=OF_NAME[name],
            markersize=10,
            markerfacecolor="none",
        )
    axis.axhline(UNTRAINED, color="0.4", linestyle="--", linewidth=1, label="nothing learned: log 10")
    axis.plot([], [], "o", color="0.4", markersize=10, markerfacecolor="none", label="the source's rate")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("learning rate")
    axis.set_ylabel(f"mean loss of the last {LATE} iterations, nats")
    axis.set_title(f"{data}, {iterations} iterations (medians; bands: least to most over seeds; cut at {ceiling:.0f})")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right center")
    return figure
