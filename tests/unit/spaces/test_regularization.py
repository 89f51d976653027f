from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from hpc_nas.spaces.regularization import (
    Cutout,
    PathDropout,
    add_auxiliary_loss,
    drop_paths,
    plan_training,
)


def test_cutout_blacks_out_a_square_while_training() -> None:
    torch.manual_seed(1)
    cutout = Cutout(4)
    images = torch.ones(500, 3, 10, 10)
    blacked = (cutout(images) == 0).all(dim=1)
    areas = blacked.sum(dim=(1, 2))
    assert areas.max() == 16
    assert areas.min() == 4  # the centre is in a corner: the half that is inside
    rows, columns = blacked.any(dim=2).sum(dim=1), blacked.any(dim=1).sum(dim=1)
    assert torch.equal(areas, rows * columns)
    assert torch.equal(cutout.eval()(images), images)
    assert torch.equal(images, torch.ones(500, 3, 10, 10))


def test_dropped_paths_are_whole_samples_and_keep_the_mean() -> None:
    torch.manual_seed(1)
    outputs = drop_paths(torch.ones(10_000, 2, 1, 1), torch.tensor(0.2))
    assert torch.equal(outputs[:, 0], outputs[:, 1])
    assert outputs.unique().tolist() == [0.0, 1.25]
    assert outputs.mean().item() == pytest.approx(1.0, abs=0.02)


def path_dropout(*, num_batches: int) -> PathDropout:
    dropout = PathDropout(max_rate=0.2, growth="linear")
    plan_training(nn.Sequential(nn.Identity(), nn.Sequential(dropout)), num_batches=num_batches)
    return dropout


def test_the_rate_grows_to_its_largest_over_the_budget() -> None:
    dropout = path_dropout(num_batches=4)
    assert [round(dropout().item(), 6) for _ in range(6)] == [0.0, 0.05, 0.1, 0.15, 0.2, 0.2]
    dropout.eval()
    dropout()
    assert dropout.num_batches.item() == 6


def test_the_rate_is_the_largest_at_once_where_it_does_not_grow_or_no_budget_is_known() -> None:
    constant = PathDropout(max_rate=0.2, growth="none")
    plan_training(constant, num_batches=4)
    assert constant().item() == pytest.approx(0.2)
    assert PathDropout(max_rate=0.2, growth="linear")().item() == pytest.approx(0.2)


def test_the_rate_goes_on_where_its_state_stood() -> None:
    first, second = (path_dropout(num_batches=4) for _ in range(2))
    for _ in range(3):
        first()
    second.load_state_dict(first.state_dict())
    assert second().item() == first().item() == pytest.approx(0.15)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_auxiliary_gradient_is_that_of_its_weighted_loss(smoothing: float) -> None:
    torch.manual_seed(1)
    images, labels = torch.randn(7, 5, dtype=torch.float64), torch.randint(0, 4, (7,))
    main, tower = (nn.Linear(5, 4, dtype=torch.float64) for _ in range(2))
    body = nn.Linear(5, 5, dtype=torch.float64)
    gradients = []
    for inside in (True, False):
        for layer in (main, tower, body):
            layer.zero_grad(set_to_none=True)
        hidden = body(images)
        logits, auxiliary = main(hidden), tower(hidden)
        if inside:
            loss = cross_entropy(
                add_auxiliary_loss(logits, auxiliary, weight=0.4), labels, label_smoothing=smoothing
            )
            reported = loss.detach()
        else:
            loss = cross_entropy(logits, labels, label_smoothing=smoothing)
            assert torch.equal(loss.detach(), reported)
            loss = loss + 0.4 * cross_entropy(auxiliary, labels, label_smoothing=smoothing)
        loss.backward()
        gradients.append(
            [weight.grad.clone() for layer in (main, tower, body) for weight in layer.parameters()]
        )
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)
