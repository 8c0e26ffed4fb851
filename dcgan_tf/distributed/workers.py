"""The devices and machines that train one run together, from `--strategy` and the environment.

The data, the random numbers and the decision to stop are those of the whole job; the chief alone writes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from dcgan_tf.backend import tf
from dcgan_tf.config import Config
from dcgan_tf.distributed import rendezvous
from dcgan_tf.errors import UserError
from dcgan_tf.signals import exit_on_interrupt

# TensorFlow's errors for a lost worker.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.FailedPreconditionError,
)
LOCAL = ("data_dir", "cache_dir", "strategy")  # settings that may differ from worker to worker


@dataclass(frozen=True)
class Workers:
    """The workers of a job, and which of them this process is.

    Attributes:
      strategy: TensorFlow's; networks and optimisers are made in its scope.
      index, count: this worker, from 0, and how many there are; the chief is 0.
    """

    strategy: tf.distribute.Strategy
    index: int = 0
    count: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether this process writes checkpoints, pictures and logs."""
        return self.index == 0

    @property
    def replicas(self) -> int:
        """Devices that share a global batch."""
        return self.strategy.num_replicas_in_sync

    def summary(self) -> str:
        """Where it trains, a few words."""
        gpus = tf.config.list_physical_devices("GPU")
        where = "the CPU" if not gpus else gpus[0].name.removeprefix("/physical_device:")
        if self.count > 1:
            return f"worker {self.index} of {self.count} ({'chief, ' if self.is_chief else ''}{where})"
        return f"{self.replicas} {'GPUs' if gpus else 'CPU devices'} together" if self.replicas > 1 else where

    def gather_numbers(self, number: int) -> list[int]:
        """Gather a number from each worker, by index; all of them must call this."""
        if self.count == 1:
            return [number]
        with exit_on_interrupt():  # another worker may still be packing, for hours
            mine = self.strategy.run(lambda: tf.constant([number], tf.int64))
            # All devices of a worker give the same number.
            return self.strategy.gather(mine, axis=0).numpy()[:: self.replicas // self.count].tolist()

    def stop(self, signal: int | None) -> int | None:
        """Return the signal that any of the workers received, so that all stop after the same step."""
        return max(self.gather_numbers(signal or 0)) or None

    def check_same(self, config: Config, data: dict) -> None:
        """Check that every worker trains the same images with the same settings.

        Raises:
          UserError: they differ.
        """
        settings = {name: value for name, value in json.loads(config.to_json()).items() if name not in LOCAL}
        for what, value in (("the settings", settings), ("the images", data["sha256"])):
            digest = hashlib.sha256(json.dumps(value).encode()).digest()
            theirs = self.gather_numbers(int.from_bytes(digest[:7], "little"))
            if other := [n for n, number in enumerate(theirs) if number != theirs[0]]:
                raise UserError(
                    f"{what} of worker {other[0]} are not the chief's (worker 0); start the same command on every "
                    "worker, on the same images."
                )

    def copy_from_chief(self, variables: list) -> None:
        """Copy the chief's variables to every worker: only the chief has read the checkpoint."""
        if self.count == 1:
            return

        @tf.function
        def copy():
            def of_one_replica():
                context = tf.distribute.get_replica_context()
                first = tf.equal(context.replica_id_in_sync_group, 0)
                for variable in variables:
                    value = tf.convert_to_tensor(variable)
                    # As integers the sum with zeros is the chief's value bit for bit, for NaN and -0.0 too.
                    bits = tf.bitcast(value, tf.int32) if value.dtype == tf.float32 else value
                    bits = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(first, bits, tf.zeros_like(bits)))
                    value = tf.bitcast(bits, tf.float32) if value.dtype == tf.float32 else bits
                    variable.value.assign(value)

            self.strategy.run(of_one_replica)

        copy()

    @contextlib.contextmanager
    def report_lost_worker(self) -> Iterator[None]:
        """Within the block, the loss of another worker is a UserError."""
        try:
            yield
        except LOST as error:
            if self.count == 1:
                raise
            raise UserError(
                f"worker {self.index} of {self.count}: another worker is gone ({type(error).__name__}); run the same "
                "command on all of them again: the run continues from the chief's last checkpoint."
            ) from None


def choose_workers(config: Config) -> Workers:
    """Set up the workers of `config.strategy`. With several machines, wait until all of them have started.

    Call it before any other operation of TensorFlow, which sets up several machines at its start only.

    Raises:
      UserError: the cluster is not described, or wrongly; or the batch cannot be shared out.
    """
    name = config.strategy
    if name == "auto":
        gpus = len(tf.config.list_physical_devices("GPU"))
        name = "multi_worker" if _find_description() else "mirrored" if gpus > 1 else "one"
    if name == "multi_worker":
        workers = _multi_worker()
    elif name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        workers = Workers(tf.distribute.MirroredStrategy([device.name for device in devices]))
    else:
        workers = Workers(tf.distribute.get_strategy())
    _check_shares(config, workers)
    return workers


def _check_shares(config: Config, workers: Workers) -> None:
    if config.batch_size % workers.replicas:
        raise UserError(
            f"--batch_size={config.batch_size}: it is the batch of all {workers.replicas} replicas together and must "
            "be a multiple of their number."
        )
    if workers.replicas > 1 and config.xla == "on":
        raise UserError("--xla=on: XLA compiles the step of one replica only; leave it off.")


def _find_description() -> str:
    """How the environment describes several workers: "TF_CONFIG", "Slurm" or not at all, ""."""
    if os.environ.get("TF_CONFIG"):
        return "TF_CONFIG"
    return "Slurm" if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1 else ""


def _multi_worker() -> Workers:
    source = _find_description()
    if not source:
        raise UserError(
            "--strategy=multi_worker: no workers are configured; set TF_CONFIG on each machine, or start them with "
            "Slurm's srun."
        )
    if source == "TF_CONFIG":
        index, addresses = _read_tf_config(os.environ["TF_CONFIG"])
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    else:
        index, addresses, resolver = _read_slurm()
    rendezvous.wait_for_all(index, addresses)
    try:
        with exit_on_interrupt():
            strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"--strategy=multi_worker: the workers did not come together ({reason}); are all started, and are the "
            f"addresses right ({', '.join(addresses)})?"
        ) from None
    return Workers(strategy, index, len(addresses))


def _read_slurm() -> tuple[int, list[str], tf.distribute.cluster_resolver.ClusterResolver]:
    """This worker's place and the addresses of all, as srun's variables tell TensorFlow."""
    try:
        # GPUs are Slurm's to hand out (--gpus-per-task); here the numbers only have to be enough for all tasks.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=int(os.environ["SLURM_STEP_NUM_TASKS"]), gpus_per_task=1, auto_set_gpu=False
        )
        addresses, index = resolver.cluster_spec().as_dict()["worker"], resolver.task_id
    except (RuntimeError, ValueError) as error:
        raise UserError(f"--strategy=multi_worker: Slurm's variables cannot be used ({error}).") from None
    # TensorFlow sorts the nodes as words: n10 before n2.
    here = os.environ.get("SLURMD_NODENAME", "")
    if here and here != addresses[index].rpartition(":")[0]:
        raise UserError(
            f"--strategy=multi_worker: task {index} is on {here}, and TensorFlow looks for it at {addresses[index]}: "
            "Slurm's nodes do not sort as words; set TF_CONFIG in their place."
        )
    return index, addresses, resolver


def _read_tf_config(text: str) -> tuple[int, list[str]]:
    """This worker's place, and the addresses of all: the chief's, if there is a job of this name, then the workers'.

    Raises:
      UserError: TensorFlow would not understand it, or would wait for ever.
    """
    try:
        value = json.loads(text)
        cluster, task = value["cluster"], value["task"]
        jobs = {job: list(addresses) for job, addresses in cluster.items()}
        job, index = task["type"], int(task["index"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"TF_CONFIG={text}: it must be JSON such as "
            '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}.'
        ) from None
    addresses = jobs.get("chief", []) + jobs.get("worker", [])
    if extra := jobs.keys() - {"chief", "worker"}:
        raise UserError(f"TF_CONFIG: {sorted(extra)[0]}: no such job here; there are chief and worker.")
    if job not in jobs or not 0 <= index < len(jobs[job]):
        raise UserError(f"TF_CONFIG: task {job} {index} is not in its cluster.")
    wrong = [
        a for a in addresses if not (isinstance(a, str) and a.rpartition(":")[0] and a.rpartition(":")[2].isdecimal())
    ]
    if wrong or len(jobs.get("chief", [])) > 1 or len(set(addresses)) < len(addresses):
        raise UserError(
            f"TF_CONFIG: {wrong[0] if wrong else 'its cluster'}: every worker needs a host:port of its own, and the "
            "chief is one."
        )
    return index + (job == "worker") * len(jobs.get("chief", [])), addresses
