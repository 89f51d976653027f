"""A text as training, validation and test tokens: a directory in Penn Treebank's layout, or any text file.

The directory holds `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`; `[data] name` is its path, or `ptb`, and
then `data_dir` its path. A file `*.txt` is cut in its own order: its last fifth is the test set, and
`validation_fraction` of the rest, from the end of it, the validation set. Files are UTF-8.

Words are what blanks separate, and each line with words ends with `<eos>`; characters are characters, line ends too.
The vocabulary is that of the training text. Everything else is `<unk>`; where the training text has no `<unk>` of its
own, as Penn Treebank's has, what occurs once in it becomes one, so that there is something to learn of unknown words.

In training it is truncated backpropagation through time: the text is cut into `batch_size` streams of equal length,
which advance together by `sequence_length` tokens a batch. A network begins an epoch without a state and then goes on
with the one it gave last, detached, so gradients end where a window begins (Zaremba et al., arXiv 1409.2329, section 4;
Baker's appendix A does not say). So the order is the text's own in every epoch, and the state belongs to a checkpoint.
Validation does the same on streams whose number does not depend on the batch size: every candidate is measured on the
same tokens, all but the fewer than `MAX_STREAMS` that are left over. Loss is the cross entropy per token; the score is
`spaces.objective`'s of it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import cross_entropy

from hpc_nas.configuration import DataSection, TrainingSection
from hpc_nas.errors import ConfigurationError, DataError
from hpc_nas.spaces.problem import TextProblem
from hpc_nas.spaces.recipe import Recipe
from hpc_nas.tasks.base import EXAMPLES, TEST_FRACTION, FeedState, HeldOut, Inputs
from hpc_nas.tasks.sums import Sums

UNKNOWN, END = "<unk>", "<eos>"
NAME = "ptb"
SUFFIX = ".txt"
FILES = ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")
MAX_STREAMS = 50  # of validation; Baker's size of a batch
# Of a stream of validation, where the text allows: beginning without a state costs perplexity.
MIN_WINDOWS = 10

Tokens = NDArray[np.int64]
State = tuple[torch.Tensor, ...]
_Texts = tuple[list[str], list[str], list[str]]


@dataclass(frozen=True, kw_only=True, eq=False)
class TextTask:
    """Tokens int64 [n] of training, validation and test text, as places in `vocabulary`."""

    name: str
    train: Tokens
    validation: Tokens
    test: Tokens
    vocabulary: tuple[str, ...]
    sequence_length: int
    checksum: str
    warnings: tuple[str, ...] = ()

    @property
    def problem(self) -> TextProblem:
        """What a network has to fit."""
        return TextProblem(vocabulary_size=len(self.vocabulary), sequence_length=self.sequence_length)

    @property
    def num_train(self) -> int:
        """The first token of a text is not predicted."""
        return (len(self.train) - 1) // self.sequence_length

    @property
    def num_validation(self) -> int:
        return (len(self.validation) - 1) // self.sequence_length

    @property
    def num_test(self) -> int:
        return (len(self.test) - 1) // self.sequence_length

    @property
    def chance_accuracy(self) -> float:
        """The score in percent of naming each token with its share of the training text, whatever comes before.

        Shares are of counts plus one, since a token may occur in the validation text alone.
        """
        size = len(self.vocabulary)
        counts = np.bincount(self.train, minlength=size) + 1
        loss = -float(np.log(counts / counts.sum())[self.validation[1:]].mean())
        return self.problem.score(loss=loss, hits=0, count=self.num_validation)

    @cached_property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr((self.sequence_length, self.vocabulary)).encode())
        for part in (self.train, self.validation):
            digest.update(f"{part.shape}".encode())
            digest.update(part.data)
        return digest.hexdigest()

    def check_training(self, section: TrainingSection) -> None:
        if section.augmentation not in (None, "none"):
            raise ConfigurationError(
                f"[training]: augmentation = {section.augmentation!r} is for images, the data are {self.problem}; "
                "leave it out"
            )

    def to_device(self, device: torch.device) -> TextData:
        """8 bytes per token."""
        return TextData(
            problem=self.problem,
            train_tokens=torch.from_numpy(self.train).to(device),
            validation_tokens=torch.from_numpy(self.validation).to(device),
        )


def load_text(section: DataSection) -> TextTask:
    """The text that `section` names, cut and in numbers, the same for everybody. Raises DataError."""
    paths = _paths(section)
    contents = [_read(path) for path in paths]
    parts = [_tokens(content, unit=section.text.unit) for content in contents]
    train, validation, test = _cut_file(parts[0], section) if len(parts) == 1 else _official(parts, section)
    vocabulary = _vocabulary(train, most=section.text.max_vocabulary)
    if len(vocabulary) < 2 or len(set(train)) < 2:
        raise DataError(
            f"{paths[0]}: {len(train)} {section.text.unit} to train on, but {len(set(train))} distinct and "
            f"{len(vocabulary)} known; at least 2 of each are needed"
        )
    places = {word: place for place, word in enumerate(vocabulary)}
    encoded = []
    for part, tokens in (("training", train), ("validation", validation), ("test", test)):
        if len(tokens) <= section.text.sequence_length:
            raise DataError(
                f"{section.name}: the {part} text has {len(tokens)} {section.text.unit}; one sample takes "
                f"sequence_length + 1 = {section.text.sequence_length + 1}: use more text, or another "
                "[data] validation_fraction or [data.text] sequence_length"
            )
        encoded.append(np.array([places.get(token, 0) for token in tokens], dtype=np.int64))
    digest = hashlib.sha256("\0".join([section.text.unit, *contents]).encode())
    return TextTask(
        name=section.name,
        train=encoded[0],
        validation=encoded[1],
        test=encoded[2],
        vocabulary=vocabulary,
        sequence_length=section.text.sequence_length,
        checksum=digest.hexdigest(),
    )


def _paths(section: DataSection) -> list[Path]:
    if section.name == NAME and section.data_dir is None:
        raise DataError(
            f"[data]: name = {NAME!r} needs data_dir, where {', '.join(FILES)} lie; Penn Treebank is licensed "
            "and not downloaded"
        )
    path = Path(section.data_dir or "") if section.name == NAME else Path(section.name)
    wanted = (
        [path] if path.suffix.lower() == SUFFIX and not path.is_dir() else [path / name for name in FILES]
    )
    missing = [str(each) for each in wanted if not each.is_file()]
    if missing:
        raise DataError(
            f"[data]: no such file: {', '.join(missing)}; expected {', '.join(FILES)} in a directory, or "
            f"one file *{SUFFIX}"
        )
    return wanted


def _read(path: Path) -> str:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: no UTF-8 text: byte 0x{error.object[error.start]:02x} at {error.start}; convert it, "
            "or name a text file"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error}") from error
    if "\0" in content:
        raise DataError(f"{path}: no text: a NUL at {content.index(chr(0))}; name a text file")
    if not content.strip():
        raise DataError(f"{path}: is empty; expected text")
    return content


def _tokens(content: str, *, unit: str) -> list[str]:
    if unit == "characters":
        return list(content)
    lines = (line.split() for line in content.splitlines())
    return list(chain.from_iterable([*words, END] for words in lines if words))


def _official(parts: list[list[str]], section: DataSection) -> _Texts:
    train, validation, test = parts
    if section.max_train_samples is not None:
        train = train[: section.max_train_samples * section.text.sequence_length + 1]
    return train, test if section.validate_on_test else validation, test


def _cut_file(tokens: list[str], section: DataSection) -> _Texts:
    """In order, since neighbouring samples are no strangers; a limit on training samples is that of what is cut."""
    pool, test = _cut(tokens, TEST_FRACTION)
    if section.max_train_samples is not None:
        pool = pool[: section.max_train_samples * section.text.sequence_length + 1]
    if section.validate_on_test:
        return pool, test, test
    train, validation = _cut(pool, section.validation_fraction)
    return train, validation, test


def _cut(tokens: list[str], fraction: float) -> tuple[list[str], list[str]]:
    at = len(tokens) - round(len(tokens) * fraction)
    return tokens[:at], tokens[at:]


def _vocabulary(train: list[str], *, most: int | None) -> tuple[str, ...]:
    """`<unk>`, and what is known by falling frequency, equals by their spelling."""
    counts = Counter(train)
    least = 1 if UNKNOWN in counts else 2
    known = [token for token, count in counts.items() if count >= least and token != UNKNOWN]
    known.sort(key=lambda token: (-counts[token], token))
    return (UNKNOWN, *known[: None if most is None else most - 1])


@dataclass(frozen=True, kw_only=True, eq=False)
class TextData:
    """Tokens int64 [n], in the order of the text."""

    problem: TextProblem
    train_tokens: torch.Tensor
    validation_tokens: torch.Tensor

    @property
    def sequence_length(self) -> int:
        """Tokens of a sample."""
        return self.problem.sequence_length

    @property
    def num_train(self) -> int:
        """Samples: the last token is only predicted."""
        return (len(self.train_tokens) - 1) // self.sequence_length

    def feed(self, recipe: Recipe, *, batches_per_epoch: int, generator: torch.Generator) -> TextFeed:
        return TextFeed(self, recipe=recipe, batches_per_epoch=batches_per_epoch)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return cross_entropy(outputs, targets)

    def sums(self) -> Sums:
        return Sums(self.train_tokens.device, problem=self.problem)

    def held_out(self, section: DataSection, *, cache_dir: Path) -> HeldOut:
        text = load_text(section)
        tokens = torch.from_numpy(text.test).to(self.validation_tokens.device)
        return HeldOut(
            data=replace(self, validation_tokens=tokens),
            num_samples=text.num_test,
            checksum=text.checksum,
            normalization=None,
        )

    def example_inputs(self, module: nn.Module) -> Inputs:
        """Samples of the text, and the state before them."""
        tokens = self.validation_tokens.repeat(EXAMPLES)[: EXAMPLES * self.sequence_length].cpu()
        tokens = tokens.view(EXAMPLES, self.sequence_length)
        with torch.no_grad():
            return tokens, module(tokens, ())[1]


class TextFeed:
    """Windows of a text, in order; holds the network's states."""

    def __init__(self, data: TextData, *, recipe: Recipe, batches_per_epoch: int) -> None:
        if recipe.augmentation != "none":
            raise ValueError(f"augmentation = {recipe.augmentation!r} is for images; use 'none' for text")
        length = data.sequence_length
        self._length = length
        self._batches_per_epoch = batches_per_epoch
        self._train = _Streams(data.train_tokens, count=recipe.batch_size, length=batches_per_epoch * length)
        num_targets = len(data.validation_tokens) - 1
        count = min(MAX_STREAMS, max(1, num_targets // (MIN_WINDOWS * length)))
        self._validation = _Streams(data.validation_tokens, count=count, length=num_targets // count)
        self.num_validation_batches = -(-self._validation.length // length)
        self._batch_in_epoch = 0
        self._train_state: State = ()
        self._validation_state: State = ()
        self._device = data.train_tokens.device

    def train(self, module: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
        state = self._train_state if self._batch_in_epoch else ()
        tokens, labels = self._train.window(self._batch_in_epoch, length=self._length)
        logits, state = module(tokens, state)
        self._train_state = tuple(part.detach() for part in state)
        self._batch_in_epoch = (self._batch_in_epoch + 1) % self._batches_per_epoch
        return logits.flatten(0, 1), labels

    def validate(self, module: nn.Module, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        tokens, labels = self._validation.window(index, length=self._length)
        logits, self._validation_state = module(tokens, self._validation_state if index else ())
        return logits.flatten(0, 1), labels

    def state(self) -> FeedState:
        return {
            "batch_in_epoch": self._batch_in_epoch,
            "train_state": self._train_state,
            "validation_state": self._validation_state,
        }

    def restore(self, state: FeedState) -> None:
        self._batch_in_epoch = state["batch_in_epoch"]
        self._train_state = self._own(state["train_state"])
        self._validation_state = self._own(state["validation_state"])

    def _own(self, state: State) -> State:
        return tuple(part.to(self._device, copy=True) for part in state)


class _Streams:
    """The first `count * length` tokens as streams [count, length], and the tokens that follow each."""

    def __init__(self, tokens: torch.Tensor, *, count: int, length: int) -> None:
        self.length = length
        self._inputs = tokens[: count * length].view(count, length)
        self._targets = tokens[1 : count * length + 1].view(count, length)

    def window(self, index: int, *, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens [count, length], the last window's fewer, and what is to be predicted, flat."""
        part = slice(index * length, (index + 1) * length)
        return self._inputs[:, part].clone(), self._targets[:, part].flatten()


class TextKind:
    """Penn Treebank's directory, or any text file."""

    problem_type = TextProblem

    def claims(self, section: DataSection) -> bool:
        path = Path(section.name)
        return (
            section.name == NAME or path.suffix.lower() == SUFFIX or ("/" in section.name and path.is_dir())
        )

    def load(self, section: DataSection, *, cache_dir: Path) -> TextTask:
        return load_text(section)

    def noise(self, problem: TextProblem, *, num_samples: int, seed: int) -> TextData:
        length = num_samples * problem.sequence_length + 1
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.randint(problem.vocabulary_size, (length,), generator=generator)
        return TextData(problem=problem, train_tokens=tokens, validation_tokens=tokens.clone())


KIND = TextKind()
