"""An analysis of a finished campaign with nothing but h5py, numpy and matplotlib: copy it and make it yours.

    python analyze.py RUN_DIR

Reads RUN_DIR/campaign.h5 (its tables and units: docs/records.md), prints the ten best candidates and draws
RUN_DIR/analysis.png.
"""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
from matplotlib.figure import Figure

NUM_BEST = 10


def read(path):
    """The name of the campaign, its tables as numpy structured arrays, and each candidate's parameters."""
    with h5py.File(path, "r") as file:
        tables = {name: file[name][:] for name in ("candidates", "observations")}
        parameters = [json.loads(text) for text in file["parameters"][:]]
        return file.attrs["name"], tables, parameters


def best_rows(candidates):
    """Rows of the candidates with the highest estimates; NaN is an estimate that was never made."""
    known = np.flatnonzero(np.isfinite(candidates["estimate"]))
    return known[np.argsort(-candidates["estimate"][known], kind="stable")][:NUM_BEST]


def print_best(candidates, parameters, rows):
    print("candidate  estimate %  seen %  epochs    weights  state     parameters")
    for row in rows:
        one = candidates[row]
        print(
            f"{one['number']:9d}  {one['estimate']:10.2f}  {one['best_accuracy']:6.2f}  {one['epochs']:6g}"
            f"  {one['num_parameters']:9d}  {one['state'].decode():8}  {json.dumps(parameters[row])[:60]}"
        )


def draw(name, candidates, observations, rows, path):
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number in candidates["number"]:
        curve = observations[observations["candidate"] == number]
        curve = curve[curve["attempt"] == curve["attempt"].max(initial=0)]  # a lost attempt was begun anew
        colour, zorder = ("#0072B2", 3) if number in candidates["number"][rows] else ("#C8C8C8", 2)
        left.plot(curve["epoch"], curve["val_accuracy"], linewidth=1, color=colour, zorder=zorder)
    left.set(xlabel="epoch", ylabel="validation accuracy (%)", title=f"{name}: the best {len(rows)} in blue")
    right.scatter(candidates["num_parameters"], candidates["estimate"], s=16, color="#0072B2")
    right.set(xscale="log", xlabel="weights", ylabel="estimate (%)", title="accuracy against size")
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python analyze.py RUN_DIR")
    run_dir = Path(sys.argv[1])
    if not (run_dir / "campaign.h5").is_file():
        sys.exit(f"{run_dir}/campaign.h5: no such file; it is written when the campaign ends")
    name, tables, parameters = read(run_dir / "campaign.h5")
    rows = best_rows(tables["candidates"])
    print_best(tables["candidates"], parameters, rows)
    draw(name, tables["candidates"], tables["observations"], rows, run_dir / "analysis.png")
    print(f"drew {run_dir / 'analysis.png'}")
