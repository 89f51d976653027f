from __future__ import annotations

import pytest
import torch
from space_helpers import CIFAR10, CIFAR100, DIGITS, space

from hpc_nas.spaces import Problem, Recipe
from hpc_nas.spaces.description import describe_module
from hpc_nas.spaces.nas_bench_201 import nas_bench_201_module
from hpc_nas.spaces.nas_bench_201_cell import Cell, Operation, all_cells

TEXT = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|nor_conv_1x1~1|none~2|"


def uniform(operation: Operation) -> Cell:
    return Cell((operation,) * 6)


def test_there_are_15625_cells_and_each_is_read_as_it_is_written() -> None:
    texts = set()
    for cell in all_cells():
        texts.add(str(cell))
        assert Cell.parse(str(cell)) == cell
    assert len(texts) == 15_625


def test_text_is_the_benchmark_s() -> None:
    cell = Cell.parse(TEXT)
    assert [operation.name for operation in cell.operations] == (
        ["CONVOLUTION_3X3", "NONE", "SKIP", "AVERAGE_POOLING", "CONVOLUTION_1X1", "NONE"]
    )
    assert str(cell) == TEXT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a valid Operation"),
        (TEXT.replace("none~0", "max_pool_3x3~0"), "'max_pool_3x3' is not a valid Operation"),
        (TEXT.replace("|none~2", ""), "a cell has 6 operations, not 5"),
        (TEXT.replace("none~2", "none~1"), r"operations so arranged are \|nor_conv_3x3~0\|\+"),
    ],
)
def test_other_text_is_no_cell(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"is no cell of NAS-Bench-201.*{message}"):
        Cell.parse(text)


@pytest.mark.parametrize(
    ("operation", "problem", "millions", "mega_flops"),
    [
        (Operation.NONE, CIFAR10, 0.073306, 7.78305),
        (Operation.CONVOLUTION_3X3, CIFAR10, 1.531546, 220.11969),
        (Operation.NONE, CIFAR100, 0.079156, 7.78890),
        (Operation.CONVOLUTION_3X3, CIFAR100, 1.537396, 220.12554),
    ],
)
def test_smallest_and_largest_network_have_the_benchmark_s_size(
    operation: Operation, problem: Problem, millions: float, mega_flops: float
) -> None:
    with torch.device("meta"):
        module = nas_bench_201_module(uniform(operation), problem)
    description = describe_module(module, problem)
    assert description.num_parameters == round(millions * 1e6)
    biases = problem.num_classes  # the benchmark counts the last layer's as operations too
    assert description.macs + biases == round(mega_flops * 1e6)


def test_parameters_are_the_operations_of_the_edges() -> None:
    recorded = {
        "node1_from0": "nor_conv_3x3",
        "node2_from0": "none",
        "node2_from1": "skip_connect",
        "node3_from0": "avg_pool_3x3",
        "node3_from1": "nor_conv_1x1",
        "node3_from2": "none",
    }
    network = space("nas-bench-201").rebuild(recorded, DIGITS)
    assert str(network.module) == str(nas_bench_201_module(Cell.parse(TEXT), DIGITS))
    assert network.recipe == Recipe(
        optimizer="nesterov",
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        schedule="cosine",
        batch_size=256,
        augmentation="shift_flip",
    )


def test_a_cell_sums_what_its_edges_bring() -> None:
    """Skips alone: nodes 1, 2, 3 are 1, 2 and 4 times the input."""
    stage = nas_bench_201_module(uniform(Operation.SKIP), DIGITS, cells_per_stage=1)[2]
    images = torch.rand(2, 16, 4, 4)
    assert torch.equal(stage(images), 4 * images)
    nothing = nas_bench_201_module(uniform(Operation.NONE), DIGITS, cells_per_stage=1)[2]
    assert not nothing(images).any()


def test_odd_sizes_fit() -> None:
    problem = Problem(channels=1, height=7, width=5, num_classes=3)
    module = nas_bench_201_module(uniform(Operation.AVERAGE_POOLING), problem, cells_per_stage=1)
    assert module(torch.zeros(2, 1, 7, 5)).shape == (2, 3)
