"""Tests of the documentation: they run everything in it, or compare it with the code."""
