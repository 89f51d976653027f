"""What can be found wrong before anything is written: data, space, strategy, estimator, batch size."""

from __future__ import annotations

from dataclasses import dataclass

import estimator
from hpc_nas.campaign.warm_start import knowledge_for, teach
from hpc_nas.configuration import Configuration
from hpc_nas.group.attempt_monitor import make_preset
from hpc_nas.records.earlier import Knowledge
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.search.limits import Limits
from hpc_nas.search.optuna_strategy import OptunaStrategy
from hpc_nas.search.random import random_search
from hpc_nas.search.registry import make_strategy
from hpc_nas.search.sampling import SearchContext
from hpc_nas.search.strategy import Strategy
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import Space
from hpc_nas.tasks.cache import data_cache_dir
from hpc_nas.tasks.registry import DataSummary, load_task, summarize
from hpc_nas.training.intervals import check_batches
from hpc_nas.training.tryout import say_how_counted, try_training

PATIENCE_S = 30.0
"""How long the first network is searched for; constraints that keep it so long leave hardly any."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The checked parts of a campaign; the strategy has learnt what is known from earlier ones.

    `warnings`: what keeps no campaign from running, and should be known before it does.
    """

    summary: DataSummary
    warnings: tuple[str, ...]
    preset: estimator.Preset
    strategy: Strategy
    knowledge: Knowledge


def prepare_campaign(configuration: Configuration, *, going_on: RunDirectory | None = None) -> Prepared:
    """Check everything; `going_on` is the directory of a campaign that goes on, None for a new one.

    Raises ConfigurationError, DataError, SpaceError; RecordError or RunDirectoryError where what the campaign has
    begun with is lost.
    """
    task = load_task(configuration.data, cache_dir=data_cache_dir())
    summary = summarize(task)
    preset = make_preset(configuration, chance_accuracy=summary.chance_accuracy)
    task.check_training(configuration.training)
    space = load_space(configuration.space)
    context = SearchContext(
        space=space,
        problem=summary.problem,
        seed=configuration.campaign.seed,
        num_candidates=configuration.campaign.num_candidates,
    )
    limits = Limits.of(configuration)
    strategy = make_strategy(configuration.search, context=context, limits=limits)
    _check_batch_size(configuration, num_train=summary.num_train, space=space)
    # Drawn, tried and thrown away. A space without a network, or with one that can't be trained, is found here, and
    # what the first draw loads, seconds where files are cold, keeps no worker group waiting for a sign of life.
    drawn = OptunaStrategy(random_search(context), context=context, limits=limits, patience_s=PATIENCE_S).ask(
        0
    )
    try_training(drawn, space=space, problem=summary.problem, section=configuration.training)
    said = say_how_counted(drawn, space=space, problem=summary.problem)
    knowledge = knowledge_for(configuration, summary=summary, directory=going_on)
    teach(strategy, knowledge)
    return Prepared(
        summary=summary,
        warnings=(*summary.warnings, *([said] if said else [])),
        preset=preset,
        strategy=strategy,
        knowledge=knowledge,
    )


def _check_batch_size(configuration: Configuration, *, num_train: int, space: Space) -> None:
    """A batch that does not fit the data would fail every candidate; one that a space draws is its own affair."""
    batch_size = configuration.training.batch_size or space.options.get("batch_size")
    if isinstance(batch_size, int):
        check_batches(num_train, batch_size, configuration.training)
