"""The faults' report: what was done, the zeros, and the times until training went on."""

from __future__ import annotations

from pathlib import Path

from benchmarks.bench.environment import Conditions
from benchmarks.bench.report import publish_report, table
from benchmarks.bench.values import Spread
from benchmarks.fault_bench.values import (
    NODE_LOSSES,
    SIGKILLS,
    Chain,
    Fault,
    FaultResults,
    Kind,
    Share,
    Storm,
    Utilisation,
)

ZEROS = {
    "observations_lost": "observations lost after their flush",
    "candidates_lost": "candidates lost",
    "counted_twice": "candidates counted twice",
    "left_over": "processes left over",
}
PARTS = {
    "before_campaign": "job start -> campaign opened (shell, Python, checks)",
    "before_groups": "-> worker groups started (Parsl)",
    "before_reports": "-> a group's first word (worker pool, launch, imports)",
    "before_training": "-> first candidate (torch, data set)",
    "training": "**training and validating**",
    "between": "between candidates and batches (networks, rows, checkpoints)",
    "idle_at_end": "last candidate -> campaign closed (others still train, draining)",
    "after_campaign": "-> job end (archive, report, Parsl's end)",
}

START = ("before_campaign", "before_groups", "before_reports", "before_training")
END = ("idle_at_end", "after_campaign")


def write_report(results: FaultResults, directory: Path, *, notice: str) -> Path:
    """Publish report.md in `directory`; a notice comes first."""
    lines: list[str] = []
    for name, section in (("storm", _storm), ("chain", _chain), ("utilisation", _utilisation)):
        if (found := getattr(results, name)) is not None:
            lines += section(found) + _conditions(results.conditions.get(name))
    title = "Faults, walltime and the use of an allocation"
    return publish_report(directory, title, "Written by `make bench-faults`.", notice=notice, body=lines)


def _storm(storm: Storm) -> list[str]:
    campaigns = storm.campaigns
    killed = sum(fault.kind in SIGKILLS for fault in storm.faults)
    candidates = sum(one.num_candidates for one in campaigns)
    lines = [
        "## Fault storm",
        "",
        f"{len(storm.faults)} faults ({killed} SIGKILLs) in {len(campaigns)} campaigns with {candidates} candidates "
        f"and {sum(one.num_observations for one in campaigns)} observations; {storm.elapsed_s / 60:.0f} minutes.",
        "",
    ]
    zeros = [[text, _zero(storm, name)] for name, text in ZEROS.items()]
    repeated = sum(one.batches_repeated_after_planned_ends for one in campaigns)
    zeros.append(["batches trained twice after a planned end", _shown(repeated)])
    lines += table(["must be zero", "is"], zeros)
    trained = sum(one.epochs_trained for one in campaigns)
    again = sum(one.epochs_repeated for one in campaigns)
    share = f" ({100 * again / trained:.1f} %)" if trained else ""
    lines += [f"Epochs trained again after crashes: {again:g} of {trained:g}{share}.", ""]
    lines += _times(storm)
    gave_up = [text for one in campaigns for text in one.gave_up]
    if gave_up:
        lines += [
            "Jobs that ended by themselves and were submitted again:",
            "",
            *(f"- {t}" for t in gave_up),
            "",
        ]
    found = [text for one in campaigns for name in ZEROS for text in map(str, getattr(one, name))]
    if found or storm.left_over:
        lines += ["What was found:", "", *(f"- {text}" for text in (*found, *storm.left_over)), ""]
    return lines


def _times(storm: Storm) -> list[str]:
    """How long each kind of fault held training up: in all campaigns, and in those of the newest code."""
    newest = storm.campaigns[-1].commit if storm.campaigns else ""
    of_newest = {one.campaign for one in storm.campaigns if newest and one.commit == newest}
    rows = []
    for kind in Kind:
        mine = [fault for fault in storm.faults if fault.kind is kind]
        if not mine:
            continue
        row = [kind, f"{len(mine)} of {storm.plan.get(kind, 0)}", _seconds(mine)]
        if of_newest:
            row.append(_seconds([fault for fault in mine if fault.campaign in of_newest]))
        rows.append(
            [
                *row,
                "its candidates train elsewhere, or have their outcomes"
                if kind in NODE_LOSSES
                else "as many trainers train",
            ]
        )
    header = ["fault", "done", "median (p10 to p90; measured)"]
    if of_newest:
        header.append(f"in the last {len(of_newest)} campaigns ({newest[:7]}{newest[40:]})")
    lines = [
        "Seconds from the fault until training goes on. Not measured where another fault came in between.",
        "",
    ]
    return lines + table([*header, "until"], rows)


def _zero(storm: Storm, name: str) -> str:
    count = sum(len(getattr(one, name)) for one in storm.campaigns)
    return _shown(count + (len(storm.left_over) if name == "left_over" else 0))


def _shown(count: int) -> str:
    return str(count) if count == 0 else f"**{count}**"


def _seconds(faults: list[Fault]) -> str:
    times = Spread.of([fault.recovered_s for fault in faults])
    if not times.count:
        return "-"
    return f"{times.median:.1f} s ({times.p10:.1f} to {times.p90:.1f}; {times.count})"


def _chain(chain: Chain) -> list[str]:
    lines = [
        "## Walltime chain",
        "",
        f"The same campaign of {chain.num_candidates} candidates in one job and in {chain.jobs} jobs, each of which "
        "leaves by the clock and is gone on with by the next.",
        "",
    ]
    lines += table(
        ["", "one job", f"{chain.jobs} jobs"],
        [
            ["same outcomes, estimates and epochs", "", "yes" if chain.same_outcomes else "**no**"],
            ["epochs trained", f"{chain.epochs_trained_single:g}", f"{chain.epochs_trained_chain:g}"],
            ["epochs trained twice", "", f"{chain.epochs_repeated:g}"],
            ["batches trained twice after planned ends", "", str(chain.batches_repeated_after_planned_ends)],
            ["trainers' time in all, s", _trainer_s(chain.single), _trainer_s(chain.chain)],
            ["share not spent in training, %", _lost(chain.single), _lost(chain.chain)],
        ],
    )
    lines += [*(f"- {text}" for text in chain.differences), ""] if chain.differences else []
    starts = Spread.of([_seconds_of(share, *START) for share in chain.chain])
    ends = Spread.of([_seconds_of(share, *END) for share in chain.chain])
    lines += [
        f"A job of the chain costs a trainer {starts.median:.1f} s at its start and {ends.median:.1f} s at its end "
        "(medians), however long it is; these jobs are so short that this is much of them.",
        "",
    ]
    lines += _shares(
        [*chain.single, *chain.chain], names=["one job", *(f"job {i + 1}" for i in range(chain.jobs))]
    )
    return lines


def _utilisation(use: Utilisation) -> list[str]:
    lines = [
        "## Use of an allocation",
        "",
        f"One job on {use.num_nodes} nodes for {use.share.allocation_s:.0f} s, {use.num_candidates} candidates of "
        f"{use.candidate_s.median:.1f} s ({use.candidate_s.p10:.1f} to {use.candidate_s.p90:.1f}), "
        f"{use.share.num_trainers} trainers: {use.share.training:.1f} % of their time in training (aim: > 90 %).",
        "",
    ]
    return lines + _shares([use.share], names=["job"])


def _shares(found: list[Share], *, names: list[str]) -> list[str]:
    rows = [
        [
            text,
            *(f"{getattr(s, part):.1f} % ({_seconds_of(s, part):.1f} s)" for s in found),
        ]
        for part, text in PARTS.items()
    ]
    return table(["share of a trainer's time", *names], rows)


def _seconds_of(share: Share, *parts: str) -> float:
    return float(sum(share.allocation_s * getattr(share, part) / 100 for part in parts))


def _trainer_s(found: tuple[Share, ...]) -> str:
    return f"{sum(s.allocation_s * s.num_trainers for s in found):.0f}"


def _lost(found: tuple[Share, ...]) -> str:
    total = sum(s.allocation_s * s.num_trainers for s in found)
    trained = sum(s.allocation_s * s.num_trainers * s.training / 100 for s in found)
    return f"{100 * (1 - trained / total):.1f}" if total else "-"


def _conditions(found: Conditions | None) -> list[str]:
    if found is None:
        return []
    machine = found.environment
    asked = ", ".join(f"{name} {value}" for name, value in found.configuration.items())
    return [
        f"Measured on {found.started} at commit {found.commit or '(unknown)'}: {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['os']}; Slurm 22.05 with namespace hosts, "
        f"trained on the CPU; others used {found.background_cpu_percent:.0f} % of the machine at the start. "
        f"{asked}.",
        "",
    ]
