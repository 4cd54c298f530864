"""Measures Tidegate and other brokers with the same work in one run. tests/bench/peers.sh installs the brokers and runs
this package.

Each peer has a module that configures, starts and loads it and counts its messages. `cases` has the work, `runner` runs
the cases and peers in turns and measures them, `report` makes the tables.
"""
