"""Command lines of any words: accepted, or refused in one clear line."""

import contextlib
import io
import os
from typing import Any

from hypothesis import example
from hypothesis import strategies as st

from tests.fuzz.support import fuzzed
from tests.support.scanner_samples import MODULE
from tests.test_tap import CommandLine
from twistdp import tap

# What a process can be given: any bytes but NUL.
words = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.binary(max_size=12).map(lambda data: os.fsdecode(data.replace(b"\0", b""))),
    st.sampled_from(
        [
            "",
            "-",
            "--",
            "=",
            "/",
            ".",
            "..",
            "\x1b[2J",
            "a\nb",
            "\x9b1m",
            "\u2028",
            "\udcff",
            "nan",
            "inf",
            "-inf",
            "1e999",
            "-1",
            "0",
            "9" * 5000,
            "x" * 5000,
            "%s{}{0}",
            "true",
            "/dev/x*,/dev/[",
            "/dev/[]-a]",
            "/dev/[z-a]*",
            "/dev/" + "*" * 200,
            "/[!",
            "/tmp/**",
            "a.example.com",
        ]
    ),
)
scanners = st.sampled_from(
    [
        *(
            f"{MODULE}:{name}"
            for name in ("Plain", "Named", "WithArguments", "Needy", "make_scanner")
        ),
        "twistdp.scanners:GlobScanner",
        "twistdp:WatchingScanner",
    ]
) | words.map(lambda word: f"no_such_module{word}:X")
keys = st.sampled_from(
    ["resource", "pattern", "permissions", "nodes_only", "max_devices", "count", "names", "port"]
)
settings = st.builds("{}={}".format, keys | words, words) | words
OPTIONS = [
    *("namespace", "scan-timeout", "removal-grace", "preferred", "registration", "cdi-dir"),
    *("registry-dir", "pod-resources-socket", "plugin-dir", "vmodule", "log-format", "v"),
]
options = st.one_of(
    st.builds("--scanner={}".format, scanners),
    st.builds("--set={}".format, settings),
    st.builds("--{}={}".format, st.sampled_from(OPTIONS), words),
    st.builds("--{}={}".format, st.sampled_from(OPTIONS), words),
    st.builds("-{}".format, words),
    words,
)
GLOB = "--scanner=twistdp.scanners:GlobScanner"


class OptionTests(CommandLine):
    """`twistd deviceplugin` with any options."""

    def check(self, arguments: list[str]) -> None:
        """Parse, and make the service if that succeeds."""
        parsed = tap.Options()
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                parsed.parseOptions([f"--plugin-dir={self.plugin_dir}", *arguments])
        except SystemExit as end:
            if end.code in (0, None):
                self.assertTrue(output.getvalue())  # --help, --version
                return
            line = end.code
            self.assertIsInstance(line, str)
            assert isinstance(line, str)
            self.assertTrue(line.startswith("deviceplugin: "), line)
            self.assertTrue(line.isprintable(), repr(line))
            return
        tap.makeService(parsed)
        self.assertTrue(parsed.managers)
        for manager in parsed.managers:
            self.check_scanner(manager.scanner)

    def check_scanner(self, scanner: Any) -> None:
        """Accepted options make a scanner that finds devices, or none."""
        if type(scanner).__name__ == "GlobScanner":
            scanner.discover()

    @fuzzed(150, st.lists(options, max_size=6))
    def test_any_words(self, arguments: list[str]) -> None:
        """Any list of words."""
        self.check(arguments)

    @example(["--namespace=\x1b[2J"])
    @fuzzed(100, st.lists(options, max_size=2))
    def test_any_words_for_a_scanner(self, arguments: list[str]) -> None:
        """Any words after what is right."""
        self.check([f"--scanner={MODULE}:Named", *arguments])

    @fuzzed(150, st.lists(st.builds("--set={}={}".format, keys, words), max_size=4))
    def test_any_settings(self, arguments: list[str]) -> None:
        """Any settings of the scanner that comes along."""
        self.check(
            [GLOB, "--namespace=a.example.com", "--set=resource=x", "--set=pattern=/x", *arguments]
        )

    @fuzzed(100, words, words)
    def test_any_pattern(self, resource: str, pattern: str) -> None:
        """Any resource and pattern."""
        name = f"--set=resource={resource}"
        self.check([GLOB, "--namespace=a.example.com", name, f"--set=pattern=/nowhere{pattern}"])


del CommandLine
