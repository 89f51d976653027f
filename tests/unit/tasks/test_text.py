"""A text becomes tokens: cut in order, words that training never saw unknown, what is no text refused."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pytest

from hpc_nas.configuration import DataSection
from hpc_nas.configuration.text import TextSection
from hpc_nas.errors import DataError
from hpc_nas.spaces.objective import Objective
from hpc_nas.spaces.problem import TextProblem
from hpc_nas.tasks.registry import load_task, summarize
from hpc_nas.tasks.text import FILES, TextTask

from .task_helpers import fashion_section

PENN = (
    "no it was n't <unk> monday \n the price was N \n",
    " it was monday \n",
    " the market was <unk> \n N \n",
)


def load(name: Path | str, *, text: dict[str, Any] | None = None, **data: Any) -> TextTask:
    section = DataSection(name=str(name), text=TextSection(**{"sequence_length": 2, **(text or {})}), **data)
    splits = load_task(section, cache_dir=Path("no-cache-needed"))
    assert isinstance(splits, TextTask)
    return splits


def words(splits: TextTask, part: str) -> list[str]:
    return [splits.vocabulary[token] for token in getattr(splits, part)]


def text(splits: TextTask, part: str) -> str:
    return " ".join(words(splits, part))


@pytest.fixture
def penn(tmp_path: Path) -> Path:
    for name, content in zip(FILES, PENN, strict=True):
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.fixture
def prose(tmp_path: Path) -> Path:
    """The prose that ships with Python."""
    path = tmp_path / "pydoc.txt"
    path.write_text("\n".join(topics[key] for key in sorted(topics)), encoding="utf-8")
    return path


def test_penn_treebank_is_read_as_it_is(penn: Path) -> None:
    splits = load(penn)
    assert text(splits, "train") == "no it was n't <unk> monday <eos> the price was N <eos>"
    assert text(splits, "validation") == "it was monday <eos>"
    assert text(splits, "test") == "the <unk> was <unk> <eos> N <eos>"  # "market" is only here
    assert splits.vocabulary[:3] == ("<unk>", "<eos>", "was")  # by frequency, the unknown first
    assert splits.problem == TextProblem(vocabulary_size=10, sequence_length=2)
    assert (splits.num_train, splits.num_validation, splits.num_test) == (5, 1, 3)


def test_a_byte_order_mark_is_no_part_of_the_first_word(penn: Path) -> None:
    path = penn / FILES[0]
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert words(load(penn), "train")[0] == "no"


def test_the_known_name_needs_its_directory(penn: Path) -> None:
    by_path, by_name = load(penn), load("ptb", data_dir=str(penn))
    assert (by_name.checksum, by_name.fingerprint) == (by_path.checksum, by_path.fingerprint)
    with pytest.raises(
        DataError, match=r"name = 'ptb' needs data_dir, where ptb.train.txt, ptb.valid.txt, ptb.test"
    ):
        load("ptb")


def test_the_vocabulary_is_limited_to_the_most_common_words(penn: Path) -> None:
    splits = load(penn, text={"max_vocabulary": 3})
    assert splits.vocabulary == ("<unk>", "<eos>", "was")
    assert text(splits, "validation") == "<unk> was <unk> <eos>"


def test_a_file_is_cut_in_its_own_order(tmp_path: Path) -> None:
    path = tmp_path / "count.txt"
    path.write_text("".join(f"{number} {number}\n\n" for number in range(100)))
    splits = load(path, validation_fraction=0.25, text={"sequence_length": 5})
    train, validation, test = (words(splits, part) for part in ("train", "validation", "test"))
    assert (len(train), len(validation), len(test)) == (180, 60, 60)  # an empty line is no sentence
    assert train == [word for number in range(60) for word in (str(number), str(number), "<eos>")]
    assert set(validation) == set(test) == {"<unk>", "<eos>"}
    limited = load(path, validation_fraction=0.5, max_train_samples=11, text={"sequence_length": 5})
    assert (words(limited, "train"), len(limited.validation)) == ([*train[:27], "<unk>"], 28)
    on_test = load(path, validate_on_test=True, text={"sequence_length": 5})
    assert (len(on_test.train), words(on_test, "validation")) == (240, words(on_test, "test"))


def test_words_seen_once_teach_what_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("a a b b once " * 2 + "a b a c")
    splits = load(path, validate_on_test=True, text={"sequence_length": 1})
    assert text(splits, "train") == "a a b b once a a b b once a b"
    path.write_text("a a b b once " + "a b a c")
    splits = load(path, validate_on_test=True, text={"sequence_length": 1})
    assert text(splits, "train") == "a a b b <unk> a b a"


def test_characters_are_tokens_and_so_are_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("abab\nab ab\n" * 5)
    splits = load(path, text={"unit": "characters"})
    assert set(splits.vocabulary) == {"<unk>", "a", "b", "\n", " "}
    assert "".join(words(splits, "train")).startswith("abab\nab ab\nabab")


def test_the_prose_of_python_is_a_text(prose: Path) -> None:
    splits = load(prose, text={"sequence_length": 35, "max_vocabulary": 400})
    assert len(splits.vocabulary) == 400
    assert len(splits.train) > 4 * len(splits.validation) * 0.9
    counts = Counter(words(splits, "train"))
    assert counts.most_common(3)[0][0] == "<unk>"
    assert {"the", "<eos>", "of"} <= set(splits.vocabulary[:6])


def test_chance_is_knowing_the_shares_of_the_words(penn: Path) -> None:
    splits = load(penn)
    counts = Counter(words(splits, "train"))
    shares = [(counts[word] + 1) / (len(splits.train) + 10) for word in words(splits, "validation")[1:]]
    loss = -float(np.mean(np.log(shares)))
    assert splits.chance_accuracy == pytest.approx(100.0 * (1.0 - loss / math.log(10)))
    assert 0.0 < splits.chance_accuracy < 100.0


def test_fingerprint_is_of_what_candidates_see(penn: Path) -> None:
    first = load(penn)
    assert load(penn).fingerprint == first.fingerprint
    others = [
        load(penn, text={"sequence_length": 3}),
        load(penn, text={"max_vocabulary": 4}),
        load(penn, validate_on_test=True),
        load(penn, max_train_samples=3),
    ]
    assert len({each.fingerprint for each in [first, *others]}) == 5
    assert {each.checksum for each in others} == {first.checksum}
    (penn / FILES[2]).write_text("another test set")
    again = load(penn)
    assert again.fingerprint == first.fingerprint
    assert again.checksum != first.checksum


def test_preparation_says_what_trainers_will_find(penn: Path) -> None:
    section = DataSection(name=str(penn), text=TextSection(sequence_length=2))
    summary = summarize(load_task(section, cache_dir=penn))
    splits = load(penn)
    assert (summary.problem, summary.objective) == (splits.problem, Objective.PERPLEXITY)
    assert (summary.num_train, summary.num_validation, summary.num_test) == (5, 1, 3)
    assert (summary.chance_accuracy, summary.fingerprint) == (splits.chance_accuracy, splits.fingerprint)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected text"),
        (b" \n\n ", "is empty; expected text"),
        (b"one \xff two", "no UTF-8 text: byte 0xff at 4"),
        (b"one\0two three four", "no text: a NUL at 3"),
        (b"word " * 40, r"26 words to train on, but 1 distinct and 2 known"),
        (b"a b c d e f g h i j", r"7 words to train on, but 7 distinct and 1 known; at least 2 of each"),
        (b"a a b b a a b b", r"the validation text has 1 words; one sample takes sequence_length \+ 1 = 3"),
    ],
    ids=["empty", "blank", "no UTF-8", "binary", "one word", "all but once", "too short"],
)
def test_what_is_no_text_to_learn_from_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(path)


def test_missing_files_are_named(penn: Path) -> None:
    (penn / FILES[1]).unlink()
    with pytest.raises(DataError, match=r"no such file: .*ptb.valid.txt; expected ptb.train.txt"):
        load(penn)
    with pytest.raises(DataError, match=r"no such file: .*nothing.txt; expected .* or one file \*.txt"):
        load(penn / "nothing.txt")


def test_settings_of_a_text_are_refused_for_images(test_data: Path, tmp_path: Path) -> None:
    section = fashion_section(test_data, text=TextSection(max_vocabulary=400))
    with pytest.raises(DataError, match=r"\[data.text\] is set, but 'fashion_mnist' holds images; leave"):
        load_task(section, cache_dir=tmp_path)
