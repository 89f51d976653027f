# One command per chore. `make install` is what demo and test begin with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install install-test demo test test-lowest check bench bench-estimator bench-faults bench-search clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mpi]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mpi,test]'
	@touch $@

install: $(VENV)/.installed            ## .venv/ with the hpc-nas and parsl commands
install-test: $(VENV)/.installed-test

demo: install                          ## one real campaign on this machine
	$(BIN)/hpc-nas run configs/campaigns/digits.toml

# Most of a campaign's, an MPI job's or Slurm's test is waiting; a file's tests stay together, with what they share.
# Files in their order: the long ones come first, and the many short ones fill what is left of each process.
TEST_PROCESSES ?= 2
test: install-test                     ## all tests
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

# In an environment of its own: the lowest versions that pyproject.toml promises, and none that had to be compiled.
LOWEST := .venv-lowest
$(LOWEST)/.installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --disable-pip-version-check --only-binary :all: -c constraints-lowest.txt \
		-e '.[mpi]' pytest pytest-timeout pytest-xdist hypothesis
	@touch $@

test-lowest: $(LOWEST)/.installed      ## unit tests with the lowest versions of all dependencies
	$(LOWEST)/bin/python -m pytest tests/unit -n $(TEST_PROCESSES) --dist loadfile

check: install-test                    ## ruff, mypy strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install-test                    ## the measurements behind the README's figures
	$(BIN)/python -m benchmarks.run

bench-estimator: install-test          ## every rule replayed on all recorded curves (2 cores: 20 to 25 minutes)
	$(BIN)/python -m benchmarks.run_estimator

bench-faults: install-test             ## faults, walltime chains, use of an allocation; root; can be stopped and gone on with
	$(BIN)/python -m benchmarks.run_faults

bench-search: install-test             ## every strategy and every space in real campaigns; can be stopped and gone on with
	$(BIN)/python -m benchmarks.run_search

clean:
	rm -rf $(VENV) $(LOWEST) build dist *.egg-info
