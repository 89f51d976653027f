from __future__ import annotations

import math
import subprocess
import sys

import pytest
from pydantic import ValidationError

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces import Problem, Recipe, TextProblem
from hpc_nas.spaces.objective import perplexity_of_score


def test_input_shape_is_channels_height_width() -> None:
    assert Problem(channels=3, height=32, width=28, num_classes=10).input_shape == (3, 32, 28)


def test_problem_refuses_one_class() -> None:
    with pytest.raises(ValidationError, match="num_classes"):
        Problem(channels=1, height=8, width=8, num_classes=1)


def test_configured_keys_win_over_the_recipe() -> None:
    recipe = Recipe(optimizer="sgd", learning_rate=0.3, momentum=0.5, batch_size=16)
    section = TrainingSection(optimizer="adam", weight_decay=0.01, schedule="cosine", augmentation="shift")
    assert recipe.override(section) == Recipe(
        optimizer="adam",
        learning_rate=0.3,
        momentum=0.5,
        weight_decay=0.01,
        schedule="cosine",
        batch_size=16,
        augmentation="shift",
    )


def test_every_key_of_a_recipe_can_be_overridden_also_by_zero() -> None:
    recipe = Recipe(momentum=0.9, weight_decay=0.1)
    assert set(Recipe.model_fields) <= set(TrainingSection.model_fields)
    assert recipe.override(TrainingSection(momentum=0.0, weight_decay=0.0)) == Recipe()


def test_what_the_papers_add_can_be_switched_off_and_on() -> None:
    recipe = Recipe(
        optimizer="nesterov", momentum=0.9, max_gradient_norm=5.0, step_factor=0.2, step_epochs=5.0
    )
    section = TrainingSection(
        optimizer="sgd", momentum=0.0, max_gradient_norm=0.0, step_factor=0.1, step_epochs=0.0
    )
    assert recipe.override(section) == Recipe()
    section = TrainingSection(augmentation="randaugment", randaugment_operations=3, randaugment_magnitude=0.0)
    assert Recipe().override(section) == Recipe(
        augmentation="randaugment", randaugment_operations=3, randaugment_magnitude=0.0
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step_factor", 0.0),
        ("step_factor", 1.5),
        ("step_epochs", -1.0),
        ("max_gradient_norm", -1.0),
        ("randaugment_operations", 17),
        ("randaugment_magnitude", 30.5),
    ],
)
def test_values_out_of_range_are_refused_in_both_places(key: str, value: float) -> None:
    for model in (Recipe, TrainingSection):
        with pytest.raises(ValidationError, match=key):
            model.model_validate({key: value})


def test_an_empty_section_changes_nothing() -> None:
    recipe = Recipe(optimizer="rmsprop", learning_rate=1e-4, schedule="step", augmentation="shift_flip")
    assert recipe.override(TrainingSection()) == recipe


def test_problem_and_recipe_load_no_torch() -> None:
    program = "import sys, hpc_nas.spaces.problem, hpc_nas.spaces.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_accuracy_is_the_share_of_hits() -> None:
    problem = Problem(channels=1, height=8, width=8, num_classes=4)
    assert problem.objective == "accuracy"
    assert problem.score(loss=3.0, hits=1, count=8) == 12.5


@pytest.mark.parametrize(
    ("perplexity", "score"), [(10_000.0, 0.0), (100.0, 50.0), (10.0, 75.0), (1.0, 100.0), (20_000.0, 0.0)]
)
def test_a_text_s_score_falls_with_the_logarithm_of_perplexity(perplexity: float, score: float) -> None:
    problem = TextProblem(vocabulary_size=10_000, sequence_length=35)
    assert problem.objective == "perplexity"
    assert problem.score(loss=math.log(perplexity), hits=0, count=1) == pytest.approx(score, abs=1e-9)
    least = min(perplexity, 10_000.0)
    assert perplexity_of_score(score, vocabulary_size=10_000) == pytest.approx(least)


def test_a_text_needs_two_words() -> None:
    with pytest.raises(ValidationError, match="vocabulary_size"):
        TextProblem(vocabulary_size=1, sequence_length=35)
