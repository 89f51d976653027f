"""The space `lstm`: LSTM language models of random sizes (Baker, appendix A).

From the paper: the inputs of the hidden layer (here the width of the embedding) and the LSTM cells, each from 10 to
1400 in steps of 20; SGD, batches of 50, dropout of 0.5, 60 epochs on Penn Treebank, "dictionary size of 400 words".

What it leaves open is an option, or follows Zaremba et al. (arXiv 1409.2329), whose networks for Penn Treebank these
are: one layer, dropout on the connections that are not recurrent (before, between and behind the layers), embeddings
drawn from +-0.1. The paper's dictionary may be the vocabulary (`[data.text] max_vocabulary = 400`) or the width of the
embedding, which it says is drawn; the space takes whatever vocabulary the data have. Learning rate and clipping, 20 and
0.25, are those of PyTorch's example `word_language_model` for SGD on the mean loss of a token (Zaremba's 1 and 5 are
for losses summed over a window, 35 times as large).

Multiply-adds of a token: 4 h (i + h) for each layer of h cells with i inputs, h times the vocabulary for the logits.
"""

from __future__ import annotations

from typing import Annotated

import torch
from optuna.trial import BaseTrial
from pydantic import Field
from torch import nn

from hpc_nas.errors import SpaceError
from hpc_nas.spaces.problem import TextProblem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.spaces.space import Network

__all__ = ["LanguageModel", "lstm"]

EMBEDDING_RANGE = 0.1

Positive = Annotated[int, Field(ge=1, le=1_000_000)]


def lstm(
    trial: BaseTrial,
    problem: TextProblem,
    *,
    min_size: Positive = 10,
    max_size: Positive = 1400,
    size_step: Positive = 20,
    num_layers: Positive = 1,
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.5,
    learning_rate: Annotated[float, Field(gt=0.0, le=1e4)] = 20.0,
    max_gradient_norm: Annotated[float, Field(ge=0.0, le=1e6)] = 0.25,
    batch_size: Positive = 50,
) -> Network:
    """Draw the number of inputs and of cells, both from `min_size` to `max_size` in steps of `size_step`."""
    if min_size > max_size:
        raise SpaceError(f"min_size = {min_size} is larger than max_size = {max_size}")
    largest = max_size - (max_size - min_size) % size_step  # 1390: Optuna wants a whole number of steps
    num_inputs = trial.suggest_int("num_inputs", min_size, largest, step=size_step)
    num_cells = trial.suggest_int("num_cells", min_size, largest, step=size_step)
    module = LanguageModel(
        vocabulary_size=problem.vocabulary_size,
        num_inputs=num_inputs,
        num_cells=num_cells,
        num_layers=num_layers,
        dropout=dropout,
    )
    recipe = Recipe(
        optimizer="sgd",
        learning_rate=learning_rate,
        max_gradient_norm=max_gradient_norm,
        batch_size=batch_size,
    )
    return Network(module=module, recipe=recipe)


class LanguageModel(nn.Module):
    """Tokens [batch, length] and a state to logits [batch, length, vocabulary] and the next state.

    A state holds two tensors [1, batch, num_cells] for each layer; an empty one stands for zeros.
    """

    def __init__(
        self, *, vocabulary_size: int, num_inputs: int, num_cells: int, num_layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, num_inputs)
        nn.init.uniform_(self.embedding.weight, -EMBEDDING_RANGE, EMBEDDING_RANGE)
        # One by one: cuDNN's own dropout between layers draws from a state that no checkpoint holds.
        self.layers = nn.ModuleList(
            nn.LSTM(num_cells if index else num_inputs, num_cells, batch_first=True)
            for index in range(num_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.decoder = nn.Linear(num_cells, vocabulary_size)

    def forward(
        self, tokens: torch.Tensor, state: tuple[torch.Tensor, ...] = ()
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        outputs = self.embedding(tokens)
        last: list[torch.Tensor] = []
        for index, layer in enumerate(self.layers):
            before = state[2 * index : 2 * index + 2] or None
            outputs, after = layer(self.dropout(outputs), before)
            last += after
        return self.decoder(self.dropout(outputs)), tuple(last)
