"""Which workers there are: what the environment says of them, and what is wrong with it."""

import json

import pytest

from dcgan_tf.backend import tf
from dcgan_tf.config import preset
from dcgan_tf.distributed import workers
from dcgan_tf.errors import UserError

TWO = {"worker": ["a:1", "b:2"]}


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURMD_NODENAME"):
        monkeypatch.delenv(name, raising=False)


def tf_config(cluster, job="worker", index=0):
    return json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})


@pytest.mark.parametrize(
    "cluster, job, index, place, addresses",
    [
        (TWO, "worker", 0, 0, ["a:1", "b:2"]),
        (TWO, "worker", 1, 1, ["a:1", "b:2"]),
        ({"worker": ["b:2"], "chief": ["a:1"]}, "chief", 0, 0, ["a:1", "b:2"]),
        ({"worker": ["b:2"], "chief": ["a:1"]}, "worker", 0, 1, ["a:1", "b:2"]),
    ],
)
def test_the_chief_is_the_first(cluster, job, index, place, addresses):
    assert workers._read_tf_config(tf_config(cluster, job, index)) == (place, addresses)


@pytest.mark.parametrize(
    "text, said",
    [
        ("{", "must be JSON"),
        ("[]", "must be JSON"),
        ('{"cluster": {"worker": ["a:1"]}}', "must be JSON"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "x"}}', "must be JSON"),
        (tf_config(TWO, index=2), "task worker 2 is not in its cluster"),
        (tf_config(TWO, index=-1), "not in its cluster"),
        (tf_config(TWO, job="chief"), "task chief 0 is not"),
        (tf_config(TWO | {"ps": ["c:3"]}), "ps: no such job"),
        (tf_config({"worker": ["a", "b:2"]}), "a: every worker needs a host:port"),
        (tf_config({"worker": ["a:1", "a:1"]}), "host:port of its own"),
        (tf_config({"worker": ["a:1", 7]}), "7: every worker"),
        (tf_config(TWO | {"chief": ["c:3", "d:4"]}), "the chief is one"),
    ],
)
def test_a_cluster_that_cannot_be_is_a_sentence(monkeypatch, text, said):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=said):
        workers.choose_workers(preset("article"))


def test_several_machines_that_nobody_names():
    with pytest.raises(UserError, match="set TF_CONFIG"):
        workers.choose_workers(preset("article", strategy="multi_worker"))


def test_slurm_without_its_other_variables(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    with pytest.raises(UserError, match="Slurm's variables cannot be used"):
        workers.choose_workers(preset("article"))


def of_slurm(monkeypatch, rank, nodes, tasks):
    """What srun sets; the cluster itself is not started. Returns what it would be started with."""
    count = str(sum(tasks))
    variables = {"STEP_NUM_TASKS": count, "PROCID": str(rank), "STEP_NODELIST": nodes}
    for name, value in (variables | {"STEP_TASKS_PER_NODE": ",".join(map(str, tasks))}).items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    given = []

    def strategy(cluster_resolver):
        given.append(cluster_resolver.cluster_spec().as_dict())
        return tf.distribute.get_strategy()

    monkeypatch.setattr(tf.distribute, "MultiWorkerMirroredStrategy", strategy)
    monkeypatch.setattr(workers.rendezvous, "wait_for_all", lambda *_: None)
    return workers.choose_workers(preset("article")), given


def test_slurm_says_who_the_workers_are(monkeypatch):
    """The third of three tasks on two nodes."""
    monkeypatch.setenv("SLURMD_NODENAME", "n2")
    found, given = of_slurm(monkeypatch, 2, "n[1-2]", (2, 1))
    assert (found.index, found.count, found.is_chief) == (2, 3, False)
    assert given == [{"worker": ["n1:8888", "n1:8889", "n2:8888"]}]


def test_slurms_nodes_that_do_not_sort_as_words(monkeypatch):
    monkeypatch.setenv("SLURMD_NODENAME", "n9")
    with pytest.raises(UserError, match="task 0 is on n9, and TensorFlow looks for it at n10:8888"):
        of_slurm(monkeypatch, 0, "n[9-10]", (1, 1))


def test_one_device_is_what_there_is():
    found = workers.choose_workers(preset("article"))
    assert (found.index, found.count, found.replicas, found.is_chief) == (0, 1, 1, True)
    assert found.gather_numbers(7) == [7] and found.stop(15) == 15 and found.stop(None) is None
    found.check_same(preset("article"), {"sha256": "x"})


def test_mirrored_takes_the_devices_of_this_machine():
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    assert workers.choose_workers(preset("article", strategy="mirrored")).replicas == len(devices)


def test_a_batch_that_cannot_be_shared_out():
    class Three:
        num_replicas_in_sync = 3

    with pytest.raises(UserError, match="multiple of their number"):
        workers._check_shares(preset("article"), workers.Workers(Three()))
    with pytest.raises(UserError, match="--xla=on"):
        workers._check_shares(preset("article", batch_size=63, xla="on"), workers.Workers(Three()))


def test_an_error_of_tensorflow_is_a_lost_worker_where_there_are_several():
    lost = tf.errors.UnavailableError(None, None, "connection reset")
    with pytest.raises(UserError, match="another worker is gone .* same command"):
        with workers.Workers(tf.distribute.get_strategy(), 0, 2).report_lost_worker():
            raise lost
    with pytest.raises(tf.errors.UnavailableError):
        with workers.Workers(tf.distribute.get_strategy()).report_lost_worker():
            raise lost
