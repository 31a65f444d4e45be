"""What every training method must keep to with every detector."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pairs import OF_TIMM, TWINS, fits, make_batch, settle_norms, small_detector, small_method

from dfworkbench.core.errors import InputError, ParameterError
from dfworkbench.models import HELPERS, list_detectors
from dfworkbench.models.inputs import prepare
from dfworkbench.training.registry import build_method, list_methods
from dfworkbench.training.step import Step

NETWORKS = [*list_detectors(), *OF_TIMM, *HELPERS]
#: Options without which a method does not let its loss come near 0, on purpose.
TO_LEARN = {"mi_net": {"weighting": "sum", "local_loss": False}}
PAIRS = [(m, d) for m in list_methods() for d in NETWORKS if d not in TWINS and fits(m, d)]
#: Its larger twin, caddm_resnet34, learns twelve pictures by heart in golden/test_caddm_protocol.py.
LEARNS_ELSEWHERE = ("caddm", "caddm_resnet18")
#: All tests of a pair one after the other, so that `small_method` builds few networks.
over_pairs = pytest.mark.parametrize(("method", "detector"), PAIRS, scope="module")


@over_pairs
@pytest.mark.parametrize("count", [1, 3])
def test_step(method, detector, count):
    method = small_method(method, detector).eval()
    step = method(make_batch(method.detector.input_spec, [1, 0, 1][:count]))
    assert isinstance(step, Step)
    assert step.loss.shape == ()
    assert step.loss.isfinite()
    assert step.parts
    assert all(part.shape == () for part in step.parts.values())
    assert step.logit is None or step.logit.shape == (count,)


@over_pairs
def test_every_trainable_parameter_gets_a_gradient(method, detector):
    method = small_method(method, detector, dropout=0.0).train()
    method(make_batch(method.detector.input_spec, [0, 1, 0, 1])).loss.backward()
    assert [name for name, p in method.named_parameters() if p.requires_grad and p.grad is None] == []


@over_pairs
def test_every_part_of_the_loss_moves_a_parameter(method, detector):
    method = small_method(method, detector, dropout=0.0).train()
    batch = make_batch(method.detector.input_spec, [0, 1, 0, 1])
    trained = [p for p in method.parameters() if p.requires_grad]
    for part, value in method(batch).parts.items():
        found = torch.autograd.grad(value, trained, retain_graph=True, allow_unused=True)
        assert any(gradient is not None and gradient.abs().max() > 0 for gradient in found), part


@over_pairs
def test_parameter_groups_hold_every_trainable_parameter_once(method, detector):
    method = small_method(method, detector)
    groups = method.parameter_groups(0.1, 0.01)
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in method.parameters() if p.requires_grad)
    assert all({"lr", "weight_decay"} <= set(group) for group in groups)


@over_pairs
def test_one_batch_can_be_learnt_by_heart(method, detector):
    if (method, detector) == LEARNS_ELSEWHERE:
        pytest.skip("caddm_resnet34 learns by heart in golden/test_caddm_protocol.py")
    method = small_method(method, detector, dropout=0.0, **TO_LEARN.get(method, {})).train()
    batch = make_batch(method.detector.input_spec, [0, 1, 0, 1])
    if detector == "rdn":  # noise cannot be made again from means over 4 x 4 pixels
        batch["images"] = batch["images"].float().mean(dim=(2, 3), keepdim=True).byte().expand_as(batch["images"])
    optimizer = torch.optim.Adam(method.parameter_groups(3e-3, 0.0))
    losses = []
    for _ in range(60):
        step = method(batch)
        optimizer.zero_grad()
        step.loss.backward()
        optimizer.step()
        losses.append(step.loss.item())
        right = step.logit is None or bool(((step.logit > 0).long() == batch["label"]).all())
        if losses[-1] < 0.2 * losses[0] and right:
            break
    assert losses[-1] < 0.2 * losses[0]
    assert right


@over_pairs
@pytest.mark.parametrize("label", [0, 1])
def test_polarity(method, detector, label):
    """After a step on fakes alone the logit is higher, after one on reals alone it is lower."""
    method = small_method(method, detector, dropout=0.0)
    batch = make_batch(method.detector.input_spec, [label] * 4)
    # a network with its first statistics may be sure of anything; then eval: batch norm shall not undo the change
    settle_norms(method.detector, prepare(batch["images"], method.detector.input_spec))
    method.eval()
    first = method(batch)
    if first.logit is None:
        pytest.skip("this method classifies nothing")
    if first.loss == 0:
        pytest.skip("with these weights it is so sure of the right answer that nothing is left to learn")
    optimizer = torch.optim.SGD(method.parameter_groups(1e-5, 0.0))
    first.loss.backward()
    optimizer.step()
    with torch.no_grad():
        change = (method(batch).logit - first.logit).mean()
    assert change > 0 if label == 1 else change < 0


@over_pairs
def test_wrong_size_is_refused(method, detector):
    method = small_method(method, detector).eval()
    batch = make_batch(method.detector.input_spec, [0, 1])
    batch["images"] = batch["images"][..., :-1]
    with pytest.raises(InputError, match=r"takes \(B, "):
        method(batch)


def test_a_method_and_a_detector_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match=r"parts of it would never be trained.*method = 'caddm'"):
        build_method("binary", small_detector("caddm_resnet34"))
    with pytest.raises(ParameterError, match="it needs outputs that this detector does not have"):
        build_method("caddm", small_detector("mesonet4"))
    with pytest.raises(ParameterError, match="Choose one of identity_resnet18"):
        build_method("identity", small_detector("resnet18"))
    with pytest.raises(ParameterError, match="nonlinear=true"):
        build_method("fst_matching", small_detector("fst_matching"), interaction_weight=1.0)


def test_two_processes_take_the_same_step_as_one():
    """Every pair, in one start of torchrun with two gloo processes: same gradient as one process has for the whole batch.

    Not resynthesis_fused: at 64 px the deepest maps of its stage-5 classifier have one pixel, so batch norms see four numbers, and
    float32 differs from float64 by a third in one process already. Its two halves are compared by themselves.
    """
    pairs = [pair for pair in PAIRS if pair[1] != "resynthesis_fused"]
    # losses over pairs of samples, which lie in both processes
    pairs += [("binary", "timm:resnet10t", {"alignment": 0.1, "uniformity": 0.5})]
    script = Path(__file__).with_name("two_processes.py")
    out = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            str(script),
            json.dumps(pairs),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert out.returncode == 0, out.stderr[-3000:]
    assert out.stdout.count("same step") == len(pairs), out.stdout
