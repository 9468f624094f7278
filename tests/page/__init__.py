"""The page in a browser, Debian's Chromium: ``make test-page``."""
