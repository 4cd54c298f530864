"""Tidegate beside other brokers, the same work in one run: tests/bench/peers.sh installs them and starts this.

One module per peer says how it is configured, started, loaded and counted; `cases` is the work, `runner` alternates
and measures, `report` makes tables of it.
"""
