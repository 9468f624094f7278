"""Everything against everything: what is generated, or takes minutes.

`make test-matrix` runs it; `make test` has a sample of each in the packages beside this one.
"""
