"""Small faults put into the code one by one: each must make a test of its module fail.

``make mutants`` makes them and prints the score; cosmic-ray changes the code and keeps the results.
What survives and changes nothing that can be seen stands in ``equivalent.toml``, with the reason.
"""
