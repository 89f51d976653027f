"""A text as training, validation and test tokens: a directory in Penn Treebank's layout, or any text file.

The directory holds `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`; `[data] name` is its path, or `ptb`, and
then `data_dir` its path. A file `*.txt` is cut in its own order: its last fifth is the test set, and
`validation_fraction` of the rest, from the end of it, the validation set. Files are UTF-8.

Words are what blanks separate, and each line with words ends with `<eos>`; characters are characters, line ends too.
The vocabulary is that of the training text. Everything else is `<unk>`; where the training text has no `<unk>` of its
own, as Penn Treebank's has, what occurs once in it becomes one, so that there is something to learn of unknown words.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.spaces.problem import TextProblem
from hpc_nas.training.holdout import TEST_FRACTION

UNKNOWN, END = "<unk>", "<eos>"
NAME = "ptb"
SUFFIX = ".txt"
FILES = ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt")

Tokens = NDArray[np.int64]
_Texts = tuple[list[str], list[str], list[str]]


@dataclass(frozen=True, kw_only=True, eq=False)
class TextSplits:
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
        """Samples: the first token of a text is not foretold."""
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
        """SHA-256 of all that candidates are trained and validated on."""
        digest = hashlib.sha256(repr((self.sequence_length, self.vocabulary)).encode())
        for part in (self.train, self.validation):
            digest.update(f"{part.shape}".encode())
            digest.update(part.data)
        return digest.hexdigest()


def is_text(section: DataSection) -> bool:
    """Does `section.name` name a text?"""
    path = Path(section.name)
    return section.name == NAME or path.suffix.lower() == SUFFIX or ("/" in section.name and path.is_dir())


def load_text(section: DataSection) -> TextSplits:
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
    return TextSplits(
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
