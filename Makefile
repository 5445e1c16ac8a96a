# The work is in tools/run.py; without make: python3 tools/run.py demo, python3 tools/run.py test
PYTHON ?= python3
ARGS ?=

.PHONY: help demo test check drill bench

help:
	@$(PYTHON) tools/run.py --help

demo test check drill bench:
	@$(PYTHON) tools/run.py $@ $(ARGS)
