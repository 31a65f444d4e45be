"""A4 to A8, A11 and A12 of the specification: losses on made-up logits, learned weights, mixing, and what is information."""

import math

import numpy as np
import pytest
import torch

from dfworkbench.evaluation.metrics.evaluate import metric_of
from dfworkbench.methods.mi_net.information import divergences
from dfworkbench.methods.mi_net.loss_weights import AutomaticWeights, FixedWeights
from dfworkbench.methods.mi_net.mi_losses import cross_entropies, local_information_loss, posterior_distances, sinkhorn
from dfworkbench.methods.mi_net.training import SCALES, mix
from dfworkbench.training.rates import halvings, learning_rate
from dfworkbench.training.settings import TrainSettings

#: Reference numbers are of 32 bits; the specification allows 1e-5.
CLOSE = 1e-6
Y, Y_B = [0, 1, 1, 0], [1, 0, 1, 0]
P_Z = [[1, -0.5], [-0.3, 0.8], [0.2, 0.1], [2, -1]]
P_ALL = [[0.5, -0.2], [-1, 1.5], [0.4, -0.6], [1.2, 0.3]]
LEFT_OUT = [
    [[0.1, 0.2], [-0.5, 0.5], [0.3, 0.9], [0.7, -0.7]], [[0.6, -0.6], [0, 1], [-0.2, 0.4], [1.5, 0.5]],
    [[-0.1, 0.3], [-0.8, 0.6], [0.5, 0.5], [0.9, -0.4]], [[0.8, 0.1], [-0.2, 1.2], [0, -0.3], [1.1, 0.2]],
]  # fmt: skip


def logits():
    """p_z (4, 2), p_all (4, 2) and the left-out ones (4, 4, 2), samples first; they take gradients."""
    p_z, p_all, left_out = (torch.tensor(value, dtype=torch.float64) for value in (P_Z, P_ALL, LEFT_OUT))
    return [value.clone().requires_grad_() for value in (p_z, p_all, left_out.movedim(0, 1))]


def one_hot(labels):
    return torch.nn.functional.one_hot(torch.tensor(labels), 2).double()


def terms(p_z, p_all, left_out, targets, *, gil=True, lil=True, joint=None, **options):
    """The losses by name; `joint` says whether the head of all blocks is trained, published: with the global loss."""
    heads = [p_z[:, None]]
    heads += [p_all[:, None]] if (gil if joint is None else joint) else []
    heads += [left_out] if lil else []
    losses = {"classification": cross_entropies(torch.cat(heads, dim=1), targets).sum()}
    if gil:
        losses["global"] = posterior_distances(p_z[:, None], p_all, **options)[0]
    if lil:
        losses["local"] = local_information_loss(posterior_distances(left_out, p_all, **options))
    return losses


def totals(losses, scales):
    return [
        AutomaticWeights(list(losses))(losses).item(),
        FixedWeights({name: scales[name] for name in losses})(losses).item(),
        FixedWeights(dict.fromkeys(losses, 1.0))(losses).item(),
    ]


@pytest.mark.parametrize(
    ("options", "expected", "totals_expected"),
    [
        ({}, (2.58694577, 0.03767102, 0.90624452), (3.84487200, 11.72473240, 3.53086138)),
        ({"lil": False}, (0.85455602, 0.03767102), (1.83240795, 0.92989808, 0.89222705)),
        ({"gil": False}, (2.05282283, 0.90624452), (2.86582804, None, 2.95906734)),
        ({"gil": False, "lil": False}, (0.32043320,), (0.85336375, 0.32043320, 0.32043320)),
        ({"temperature": 1.0}, (2.58694577, 0.06079732, 0.82142150), (3.81402397, 10.92275620, 3.46916437)),
    ],
)
def test_a4_losses(options, expected, totals_expected):
    losses = terms(*logits(), one_hot(Y), **options)
    assert [value.item() for value in losses.values()] == pytest.approx(expected, abs=CLOSE)
    for found, wanted in zip(totals(losses, SCALES), totals_expected, strict=True):
        assert wanted is None or found == pytest.approx(wanted, abs=1e-5)


def test_a4_without_the_global_loss_published_factors_went_by_position():
    losses = terms(*logits(), one_hot(Y), gil=False)
    assert totals(losses, {**SCALES, "local": 2.0})[1] == pytest.approx(3.86531186, abs=CLOSE)
    assert totals(losses, SCALES)[1] == pytest.approx(2.05282283 + 10 * 0.90624452, abs=CLOSE)


def test_a4_components():
    p_z, p_all, left_out = logits()
    found = cross_entropies(torch.cat([p_z[:, None], p_all[:, None], left_out], dim=1), one_hot(Y))
    expected = [0.32043320, 0.53412282, 0.42889094, 0.33182344, 0.51689708, 0.45477813]
    assert found.tolist() == pytest.approx(expected, abs=CLOSE)
    distances = posterior_distances(left_out, p_all)
    assert distances.tolist() == pytest.approx([0.03561473, 0.03133602, 0.02216206, 0.00933335], abs=CLOSE)
    assert distances.sum().item() == pytest.approx(0.09844616, abs=CLOSE)


def test_a4_forward_divergence_and_the_mean_over_samples():
    p_z, p_all, left_out = logits()
    assert posterior_distances(p_z[:, None], p_all, direction="forward").item() == pytest.approx(0.04136945, abs=CLOSE)
    distances = posterior_distances(left_out, p_all, direction="forward")
    assert distances.tolist() == pytest.approx([0.03327891, 0.02907001, 0.02107028, 0.00844694], abs=CLOSE)
    assert local_information_loss(distances).item() == pytest.approx(0.91222725, abs=CLOSE)
    doubled = posterior_distances(left_out, p_all, direction="forward", reduction="batchmean")
    torch.testing.assert_close(doubled, 2 * distances)


def test_a4_the_published_wasserstein_mode():
    losses = terms(*logits(), one_hot(Y), distance="sinkhorn")
    assert losses["global"].item() == pytest.approx(3.48287, abs=1e-4)
    assert losses["local"].item() == pytest.approx(7e-7, abs=5e-8)
    assert totals(losses, SCALES)[0] == pytest.approx(5.11435, abs=1e-4)


def test_a4_equal_posteriors():
    same = torch.tensor(P_ALL)
    for options in ({}, {"direction": "forward"}, {"distance": "wasserstein"}):
        losses = terms(same, same, same[:, None].repeat(1, 4, 1), one_hot(Y), **options)
        assert (losses["global"].item(), losses["local"].item()) == (0, 1)


@pytest.mark.parametrize(
    "options", [{}, {"direction": "forward"}, {"distance": "wasserstein"}, {"distance": "sinkhorn"}]
)
def test_a4_sure_heads_give_finite_losses_and_gradients(options):
    p_all = torch.tensor([[200.0, -200], [-200, 200]], requires_grad=True)
    p_z, left_out = (-p_all).detach().requires_grad_(), (-p_all)[:, None].repeat(1, 4, 1).detach().requires_grad_()
    losses = terms(p_z, p_all, left_out, one_hot([0, 1]), **options)
    sum(losses.values()).backward()
    for value in (*losses.values(), p_z.grad, p_all.grad, left_out.grad):
        assert value.isfinite().all()
    if not options:
        assert [value.item() for value in losses.values()] == pytest.approx([2000, 133.3333, 0], abs=1e-4)
    elif options.get("distance") == "wasserstein":
        assert losses["global"].item() == pytest.approx(1)


@pytest.mark.parametrize("distance", ["kl", "wasserstein", "sinkhorn"])
def test_half_precision_logits_are_compared_in_full_precision(distance):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        p_z, p_all, left_out = (value.to(torch.bfloat16) for value in logits())
        losses = terms(p_z, p_all, left_out, one_hot(Y), distance=distance)
        total = AutomaticWeights(list(losses))(losses)
    wide = terms(p_z.double(), p_all.double(), left_out.double(), one_hot(Y), distance=distance)
    for name, value in losses.items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(wide[name].item(), rel=1e-4)
    assert total.dtype == torch.float32


def test_the_exact_wasserstein_distance_by_hand():
    p, q = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, math.log(4)]])
    found = posterior_distances(p[:, None], q, distance="wasserstein", temperature=1.0)
    assert found.item() == pytest.approx((0.25 + 0.3) / 2)


def test_a5_where_gradients_go():
    p_z, p_all, left_out = logits()
    losses = terms(p_z, p_all, left_out, one_hot(Y))
    (moved,) = torch.autograd.grad(losses["global"], p_z, retain_graph=True)
    assert moved[:, 0].tolist() == pytest.approx([0.0087383, 0.0170479, -0.0124861, 0.0122493], abs=1e-7)
    torch.testing.assert_close(moved[:, 1], -moved[:, 0])
    others = torch.autograd.grad(losses["global"], [p_all, left_out], retain_graph=True, allow_unused=True)
    assert others == (None, None)
    (moved,) = torch.autograd.grad(losses["local"], left_out, retain_graph=True)
    assert moved[:, 0, 0].tolist() == pytest.approx([0.0100582, -0.0169285, 0.0193542, -0.0050998], abs=1e-7)
    assert moved[:, 3, 0].tolist() == pytest.approx([0, -0.0112194, 0.0087232, 0], abs=1e-7)
    others = torch.autograd.grad(losses["local"], [p_all, p_z], retain_graph=True, allow_unused=True)
    assert others == (None, None)
    weights = AutomaticWeights(list(losses))
    (moved,) = torch.autograd.grad(weights(losses), weights.p)
    assert moved.tolist() == pytest.approx([-1.5869458, 0.9623290, 0.0937555], abs=1e-6)


def test_a5_the_head_of_all_blocks_learns_with_the_local_loss_alone():
    for joint in (False, True):
        p_z, p_all, left_out = logits()
        sum(terms(p_z, p_all, left_out, one_hot(Y), gil=False, joint=joint).values()).backward()
        assert (p_all.grad is None) != joint


def test_a6_the_published_transport():
    x, y = torch.tensor([[0.0, 0], [1, 0], [0, 1]]), torch.tensor([[0, 0.1], [1, 0.2], [0.3, 1]])
    assert float(sinkhorn(x, y)) == pytest.approx(0.0466665, abs=1e-4)
    p_all, p_z = torch.tensor(P_ALL) / 1.5, torch.tensor(P_Z) / 1.5
    assert float(sinkhorn(p_all.softmax(1), p_z.softmax(1))) == pytest.approx(0.0477244, abs=1e-6)
    assert float(sinkhorn(p_all.log_softmax(1), p_z.softmax(1))) == pytest.approx(3.4828706, abs=1e-4)
    assert float(sinkhorn(p_all.softmax(1), p_all.softmax(1))) == pytest.approx(0.00094522, abs=1e-7)
    assert float(sinkhorn(x[:1], y[:1])) == pytest.approx(0.01, abs=1e-4)


@pytest.mark.parametrize(("cloud", "rounds"), [("points", 2), ("posteriors", 1), ("log", 29)])
def test_a6_rounds(cloud, rounds):
    p_all, p_z = torch.tensor(P_ALL) / 1.5, torch.tensor(P_Z) / 1.5
    x, y = {
        "points": (torch.tensor([[0.0, 0], [1, 0], [0, 1]]), torch.tensor([[0, 0.1], [1, 0.2], [0.3, 1]])),
        "posteriors": (p_all.softmax(1), p_z.softmax(1)),
        "log": (p_all.log_softmax(1), p_z.softmax(1)),
    }[cloud]
    last, before = (sinkhorn(x, y, iterations=count) for count in (rounds, rounds - 1))
    assert torch.equal(last, sinkhorn(x, y))
    assert not torch.equal(last, before)


def test_a7_automatic_weights():
    losses = {name: torch.tensor(value) for name, value in zip("abc", (2.0, 0.04, 0.9), strict=True)}
    weights = AutomaticWeights("abc")
    assert weights(losses).item() == pytest.approx(3.5494416, abs=1e-6)
    weights.load_state_dict({"p": torch.tensor([2, 0.5, -1.5])})
    assert weights(losses).item() == pytest.approx(3.5412364, abs=1e-6)
    assert [float(f) for f in weights.factors().values()] == pytest.approx([0.125, 2, 0.5 / 2.25])


@pytest.mark.parametrize(("loss", "square"), [(0.03, 0.130204), (0.5, 0.640388), (2.0, 1.618034)])
def test_a7_where_a_weight_comes_to_rest(loss, square):
    weights = AutomaticWeights("a")
    optimizer = torch.optim.LBFGS(
        weights.parameters(), max_iter=100, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        total = weights({"a": torch.tensor(loss)})
        total.backward()
        return total

    optimizer.step(closure)
    assert float(weights.p.detach() ** 2) == pytest.approx(square, abs=1e-4)
    assert square == pytest.approx((loss + math.sqrt(loss**2 + 8 * loss)) / 4, abs=1e-6)


def test_a7_three_steps_of_adam():
    losses = {name: value.detach() for name, value in terms(*logits(), one_hot(Y)).items()}
    weights = AutomaticWeights(list(losses))
    optimizer = torch.optim.Adam(weights.parameters(), lr=1e-3, weight_decay=1e-6)
    for expected in ((1.001, 0.999, 0.999), (1.002, 0.998, 0.9980009), (1.0029997, 0.997, 0.9970033)):
        optimizer.zero_grad()
        weights(losses).backward()
        optimizer.step()
        assert weights.p.tolist() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("p", [0.0, 1e-5, -1e-5])
def test_a_weight_near_zero_divides_by_the_floor_and_comes_out_again(p):
    weights = AutomaticWeights("a")
    weights.load_state_dict({"p": torch.tensor([p])})
    total = weights({"a": torch.tensor(0.01)})
    total.backward()
    assert total.item() == pytest.approx(0.005 / 1e-6, rel=1e-4)
    assert weights.p.grad.isfinite().all()
    assert float(weights.p.grad) * (1 if p >= 0 else -1) < 0  # away from 0


def test_a8_mixing():
    targets, other = one_hot(Y), one_hot(Y_B)
    losses = terms(*logits(), 0.3 * targets + 0.7 * other)
    expected = (4.68694592, 0.03767102, 0.90624452)
    assert [value.item() for value in losses.values()] == pytest.approx(expected, abs=CLOSE)
    assert terms(*logits(), other)["classification"].item() == pytest.approx(5.58694601, abs=CLOSE)


def test_a8_pictures_and_labels_are_mixed_alike_and_by_the_seed():
    images = torch.rand(6, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    targets = torch.eye(6)  # whose picture it is
    torch.manual_seed(3)
    mixed, shares = mix(0.5, images, targets)
    torch.testing.assert_close(mixed, torch.einsum("ij,jchw->ichw", shares, images))
    assert mixed.is_contiguous(memory_format=torch.channels_last)
    assert (shares.max() > 0.5).item()
    assert shares.sum(dim=1).tolist() == pytest.approx([1] * 6)
    torch.manual_seed(3)
    assert torch.equal(mix(0.5, images, targets)[0], mixed)
    assert not torch.equal(mix(0.5, images, targets)[0], mixed)


def test_a8_shares_follow_the_beta_distribution():
    torch.manual_seed(0)
    eye = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    first = np.array([float(mix(0.5, eye)[0][0, 0]) for _ in range(2000)])
    drawn = first[first < 1]  # half of the permutations of two leave a sample alone
    assert drawn.mean() == pytest.approx(0.5, abs=0.04)
    assert drawn.var() == pytest.approx(1 / 8, abs=0.015)  # of Beta(0.5, 0.5)


def test_a11_our_cosine_goes_once_over_the_whole_run():
    settings = TrainSettings(learning_rate=1e-3, epochs=10)
    rates = [learning_rate(settings, step, 1500) for step in (0, 750, 1499)]
    assert rates == pytest.approx([1e-3, 5e-4, 1e-3 * 0.5 * (1 + math.cos(math.pi * 1499 / 1500))])


def test_a11_published_waves():
    """1e-3 and 0 take turns every 150 steps, and each epoch (here 2185 steps, as with FaceForensics++) begins anew."""
    settings = TrainSettings.published("mi_net", epochs=2)
    expected = {
        0: 1e-3, 75: 5e-4, 149: 1.09658e-7, 150: 0, 151: 1.09658e-7, 225: 5e-4, 300: 1e-3, 2184: 4.06309e-4
    }  # fmt: skip
    for epoch in (0, 1):
        rates = {step: learning_rate(settings, 2185 * epoch + step, 2 * 2185) for step in expected}
        assert rates == pytest.approx(expected, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize(
    ("losses", "count"),
    [
        ((5, 4, 3, 2, 1), 0),
        ((5, 4, 3, 2, 2), 0),
        ((5, 4, 4.1, 3, 2), 1),
        ((5, 4, 4.1, 3), 0),  # too few
        ((5, 6, 4, 3, 2, 1, 0), 1),  # the rise is forgotten with the halving
        ((9, 5, 4, 3, 2, 3), 1),
        ((1, 2, 1, 1, 1, 1, 2, 1, 1, 1), 2),
    ],
)
def test_a11_when_the_rate_is_halved(losses, count):
    assert halvings(losses) == count


POSTERIOR = np.array([[0.1, 0.4], [0.7, 0.95]])  # p(y = 1 | z1, z2), both bits uniform


def bits(*, given):
    """Log posteriors of the four equally likely (z1, z2): (4, 2)."""
    p = given.ravel()
    return np.log(np.stack([1 - p, p], axis=-1))


def test_a12a_forward_divergence_is_the_information():
    full = bits(given=POSTERIOR)
    without_1 = bits(given=np.broadcast_to(POSTERIOR.mean(axis=0), (2, 2)))
    without_2 = bits(given=np.broadcast_to(POSTERIOR.mean(axis=1, keepdims=True), (2, 2)))
    either = np.array([[0, 1], [1, 1]])
    of_g = np.where(either, POSTERIOR[either == 1].mean(), POSTERIOR[0, 0])
    lost = bits(given=of_g)
    assert divergences(full, without_1).mean() == pytest.approx(0.199928, abs=1e-6)
    assert divergences(full, without_1, reverse=True).mean() == pytest.approx(0.258717, abs=1e-6)
    assert divergences(full, without_2).mean() == pytest.approx(0.061162, abs=1e-6)
    assert divergences(full, lost).mean() == pytest.approx(0.097651, abs=1e-6)
    assert divergences(full, lost, reverse=True).mean() == pytest.approx(0.130896, abs=1e-6)
    assert _information(full) - _information(lost) == pytest.approx(0.238463 - 0.140813, abs=2e-6)


def test_a12a_the_loss_equals_the_information_only_forward_at_temperature_one():
    full = torch.tensor(bits(given=POSTERIOR))
    without = torch.tensor(bits(given=np.broadcast_to(POSTERIOR.mean(axis=0), (2, 2))))[:, None]
    exact = {"direction": "forward", "reduction": "batchmean", "temperature": 1.0}
    assert posterior_distances(without, full, **exact).item() == pytest.approx(0.199928, abs=1e-6)
    for change in ({"direction": "published"}, {"reduction": "published"}, {"temperature": 1.5}):
        assert abs(float(posterior_distances(without, full, **(exact | change))) - 0.199928) > 0.01


def _information(log_posterior):
    """I(·; y) of equally likely states in nats."""
    p = np.exp(log_posterior)
    return float((p * (log_posterior - np.log(p.mean(axis=0)))).sum(axis=1).mean())


def test_a12c_metrics_of_the_worked_example():
    logits = np.array([[2, -1], [0, 1], [0.3, 0.2], [-1, 0.5], [0.4, 0.4]])
    labels, fake = np.array([0, 1, 1, 0, 1]), 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    assert metric_of("accuracy", labels, fake) == pytest.approx(0.4)  # a tie is real
    assert metric_of("auc", labels, fake) == 0.5
    assert metric_of("log_loss", labels, fake) == pytest.approx(0.7001612324803826)
