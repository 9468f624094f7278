"""The configuration file: what a user can say, and what is wrong with what was said."""
