"""Tests for `twistdp.tap`: the managers that a command line makes, and its errors."""

import os
import shutil
import sys
import tempfile
import threading
from importlib.metadata import version
from io import StringIO
from unittest import SkipTest

from twisted.application.service import IServiceMaker, MultiService
from twisted.internet import reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.plugin import getPlugins
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from tests.support.scanner_samples import MODULE, Named, OwnLoop, Plain, WithArguments
from twistdp import Manager, klog, tap
from twistdp.errors import BadSetting
from twistdp.launch.following import ConfigFile
from twistdp.logs.service import LoggedService, LogSettings
from twistdp.status.systemd import Reporter

NAMED = f"--scanner={MODULE}:Named"


class CommandLine(SynchronousTestCase):
    """Parses command lines for a plugin directory of its own."""

    def setUp(self) -> None:
        """Make the plugin directory; importing scanners must not change this process."""
        if not isinstance(reactor, AsyncioSelectorReactor):
            raise SkipTest("needs trial --reactor=asyncio")
        self.directory = tempfile.mkdtemp(prefix="tap-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.plugin_dir = os.path.join(self.directory, "p")
        os.mkdir(self.plugin_dir)
        self.modules = os.path.join(self.directory, "modules")
        os.mkdir(self.modules)
        self.patch(sys, "path", [self.modules, *sys.path])
        self.patch(sys, "dont_write_bytecode", True)

    def parse(self, *arguments: str, plugin_dir: str | None = None) -> tap.Options:
        """The options that a command line makes."""
        options = tap.Options()
        options.parseOptions([f"--plugin-dir={plugin_dir or self.plugin_dir}", *arguments])
        return options

    def refused(self, *arguments: str, plugin_dir: str | None = None) -> str:
        """The line with which a command line is refused."""
        error = self.assertRaises(SystemExit, self.parse, *arguments, plugin_dir=plugin_dir)
        line = error.code
        self.assertIsInstance(line, str)
        self.assertTrue(line.startswith("deviceplugin: "), line)
        self.assertEqual(len(line.splitlines()), 1, line)
        self.assertNotIn("\x1b", line)
        return str(line)

    def assert_refused(self, arguments: list[str], *named: str, plugin_dir: str = "") -> None:
        """A command line is refused in one line that contains each of `named`."""
        line = self.refused(*arguments, plugin_dir=plugin_dir)
        for part in named:
            self.assertIn(part, line)

    def module(self, name: str, source: str) -> None:
        """Make a module that can be imported during this test."""
        with open(os.path.join(self.modules, f"{name}.py"), "w", encoding="ascii") as file:
            file.write(source)
        self.addCleanup(sys.modules.pop, name, None)


class ConfigTests(CommandLine):
    """``--config``"""

    def file(self, text: str) -> str:
        """The path of a file with this text."""
        path = os.path.join(self.directory, "devices.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def test_domains(self) -> None:
        """Each domain of a file has a manager, beside those of scanners."""
        path = self.file(
            "domain: x.example.com\n"
            "resources: {null: /dev/null, zero: /dev/zero, y.example.com/full: /dev/full}\n"
        )
        options = self.parse(NAMED, f"--config={path}")
        self.assertEqual(
            [manager.namespace for file in options.files for manager in file.managers],
            ["x.example.com", "y.example.com"],
        )

    def test_hangup(self) -> None:
        """SIGHUP reads the files again."""
        path = self.file("domain: x.example.com\nresources: {null: /dev/null}\n")
        service = tap.makeService(self.parse(f"--config={path}"))
        assert isinstance(service, LoggedService)
        again: list[str] = []
        self.patch(ConfigFile, "read_again", lambda file: again.append(file.path))
        service.hangup()
        self.assertEqual(again, [path])

    def test_problems(self) -> None:
        """Each problem of a file is a line."""
        path = self.file("domain: x.example.com\nresources: {a: {pth: /x}, b: {usb: 1, as: ty}}\n")
        error = self.assertRaises(SystemExit, self.parse, f"--config={path}")
        lines = str(error.code).splitlines()
        self.assertEqual(len(lines), 2, lines)
        for line, place in zip(lines, ("resources.a.pth", "resources.b.as"), strict=True):
            self.assertTrue(line.startswith(f"deviceplugin: {path}:2:"), line)
            self.assertIn(place, line)

    def test_missing(self) -> None:
        """A file that is not there is refused by its name."""
        self.assert_refused(["--config=/absent.yaml"], "/absent.yaml", "No such file")

    def test_others_may_write(self) -> None:
        """A file that others may write to is refused: it could name any file of the node."""
        path = self.file("domain: x.example.com\nresources: {null: /dev/null}\n")
        os.chmod(path, 0o666)
        self.assert_refused(
            [f"--config={path}"],
            f"configuration {path}: others may write to {path} (",
            f"chmod go-w {path}",
        )

    def test_twice(self) -> None:
        """A resource that two files, or a file and the catalogue, have is refused."""
        path = self.file("domain: x.example.com\nresources: {fuse: /dev/null}\n")
        self.assert_refused(
            [f"--config={path}", f"--config={path}"],
            f"resource x.example.com/fuse is in {path} and in {path}; leave it out of one of them",
        )
        self.assert_refused(
            [f"--config={path}", "--catalog=fuse", "--namespace=x.example.com"],
            f"resource x.example.com/fuse is in {path} and in the catalogue",
        )
        share = "replicas: {count: 2, rename: fuse}"
        other = self.file(f"domain: x.example.com\nresources: {{a: {{path: /dev/b, {share}}}}}\n")
        self.assert_refused(
            [f"--config={other}", "--catalog=fuse", "--namespace=x.example.com"],
            f"resource x.example.com/fuse is in {other} and in the catalogue",
        )

    def test_unknown_entry(self) -> None:
        """An entry that the catalogue lacks is refused."""
        path = self.file("domain: x.example.com\nresources: {a: {use: absent}}\n")
        self.assert_refused([f"--config={path}"], "resources.a.use", "absent")


class CatalogTests(CommandLine):
    """``--catalog``"""

    def namespaces(self, *arguments: str) -> list[str]:
        """The domains that a command line serves."""
        options = self.parse(*arguments)
        managers = [*options.managers, *(each for file in options.files for each in file.managers)]
        return [manager.namespace for manager in managers]

    def test_domains(self) -> None:
        """Entries are served in the domain that is given, else in their own."""
        self.assertEqual(
            self.namespaces("--catalog=kvm,intel-gpu", "--namespace=x.example.com"),
            ["x.example.com"],
        )
        self.assertEqual(
            self.namespaces("--catalog=intel-gpu", "--catalog=intel-npu"),
            ["gpu.intel.com", "npu.intel.com"],
        )

    def test_refused(self) -> None:
        """An unknown entry is refused with the nearest one; one without a domain needs one."""
        self.assert_refused(["--catalog=kwm"], "catalogue has no entry", "did you mean kvm?")
        self.assert_refused(["--catalog=kvm"], "--catalog: ", "--namespace=DOMAIN")

    def test_scanner(self) -> None:
        """An entry that is a scanner takes the options of one."""
        self.assertEqual(
            self.namespaces("--catalog=intel-fpga,intel-npu", "--set=mode=region"),
            ["fpga.intel.com", "npu.intel.com"],
        )
        self.assert_refused(
            ["--catalog=intel-fpga", "--set=mode=regio"],
            "--catalog intel-fpga: --set mode=regio: use one of: af, region, regiondevel",
        )
        self.assert_refused(
            ["--catalog=intel-gpu", "--set=replicas=2"],
            "--catalog intel-gpu has no arguments; write a configuration file with keys beside "
            "use: intel-gpu",
        )

    def test_entry_twice(self) -> None:
        """An entry that is named twice would serve the same resources again."""
        for names, name in (("intel-sgx,intel-sgx", "intel-sgx"), ("kvm, fuse,kvm", "kvm")):
            self.assert_refused(
                [f"--catalog={names}", "--namespace=x.example.com"],
                f"--catalog {names}: {name} is named twice; leave one out",
            )

    def test_namespace_of_files(self) -> None:
        """A file has its own domain whatever the namespace of the others is."""
        path = os.path.join(self.directory, "devices.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write("domain: y.example.com\nresources: {a: {use: kvm}}\n")
        self.assertEqual(
            self.namespaces(f"--config={path}", "--catalog=fuse", "--namespace=x.example.com"),
            ["x.example.com", "y.example.com"],
        )


class ScannerRefusalTests(CommandLine):
    """Errors in a --scanner, in one line."""

    def test_missing(self) -> None:
        """Without --scanner the line names the option and its form."""
        self.assert_refused([], "--scanner", "module:Class")

    def test_malformed(self) -> None:
        """A --scanner that is not module:Class is quoted, with the form to write."""
        for name in ("tests", "tests:", ":Named", ":", "", "tests.support.scanner_samples.Named"):
            with self.subTest(name):
                self.assert_refused([f"--scanner={name}"], f"--scanner {name}", "module:Class")

    def test_missing_module(self) -> None:
        """A module that does not exist is named, and where modules are looked for."""
        self.assert_refused(
            ["--scanner=no_such_module_here:X"], "no_such_module_here", "current directory"
        )

    def test_relative_module(self) -> None:
        """A relative module name is refused like any that cannot be imported."""
        self.assert_refused(["--scanner=.samples:X"], "--scanner .samples:X")

    def test_module_raises(self) -> None:
        """An error during the import of a module becomes a part of the line."""
        self.module("raises_at_import", "raise RuntimeError('one\\ntwo')\n")
        self.assert_refused(
            ["--scanner=raises_at_import:X"], "cannot import raises_at_import", "one two"
        )

    def test_module_with_a_syntax_error(self) -> None:
        """A syntax error in the module becomes one line."""
        self.module("bad_syntax", "def f(:\n    pass\n")
        self.assert_refused(["--scanner=bad_syntax:X"], "cannot import bad_syntax", "SyntaxError")

    def test_places(self) -> None:
        """An error in a module is shown with the file and the line of the author's code."""
        for name, source, line in (
            ("place_in_module", "import json\n\njson.loads('{')\n", 3),
            ("place_in_syntax", "\ndef f(:\n", 2),
            ("place_in_class", "class X:\n    def __init__(self):\n        int('x')\n", 3),
            ("place_in_import", "import os\nimport no_such_driver\n", 2),
        ):
            self.module(name, source)
            path = os.path.join(self.modules, f"{name}.py")
            self.assert_refused([f"--scanner={name}:X"], f", at {path}:{line}")

    def test_missing_dependency(self) -> None:
        """A module that a scanner needs is not looked for where scanners are: it is installed."""
        self.module("needs_a_driver", "import no_such_driver\n")
        line = self.refused("--scanner=needs_a_driver:X")
        self.assertIn("install what provides it", line)
        self.assertIn(sys.prefix, line)
        self.assertNotIn("current directory", line)

    def test_misspelt(self) -> None:
        """The module beside us, or the class in it, that may have been meant is named."""
        self.module("lamp_scanner", f"from {MODULE} import Named\nclass LampScanner: pass\n")
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.modules)
        self.assert_refused(["--scanner=lampscanner:X"], "did you mean lamp_scanner?")
        self.assert_refused(
            ["--scanner=lamp_scanner:lampscaner"], "no class lampscaner; did you mean LampScanner?"
        )
        self.assert_refused(["--scanner=lamp_scanner:X"], "no class X; it has: LampScanner")

    def test_named_like_a_module_of_pythons(self) -> None:
        """The error names the shadowed file, whether Python's module was imported before or not."""
        for name in ("queue", "platform", "cProfile"):
            path = os.path.join(self.modules, f"{name}.py")
            with open(path, "w", encoding="ascii") as file:
                file.write(f"from {MODULE} import Named\n")
            self.assert_refused(
                [f"--scanner={name}:Named"], path, "standard library", f"{name}_scanner.py"
            )
            os.unlink(path)
        os.mkdir(os.path.join(self.modules, "select"))
        path = os.path.join(self.modules, "select", "__init__.py")
        with open(path, "w", encoding="ascii"):
            pass
        self.assert_refused(["--scanner=select.lamps:Named"], path, "standard library")

    def test_named_like_another_package(self) -> None:
        """Only Python's own modules are in the way."""
        self.module("serial", f"from {MODULE} import Named\n")
        self.assertEqual(len(self.parse("--scanner=serial:Named").managers), 1)

    def test_module_exits(self) -> None:
        """A script that ends the process when it is imported is refused like other errors."""
        self.module("exits_at_import", "raise SystemExit(0)\n")
        self.assert_refused(["--scanner=exits_at_import:X"], "cannot import exits_at_import")

    def test_no_such_class(self) -> None:
        """A class that its module lacks is named together with the module."""
        self.assert_refused([f"--scanner={MODULE}:Absent"], MODULE, "no class Absent")
        self.assert_refused([f"--scanner={MODULE}:Outer.Absent"], "no class Outer.Absent")

    def test_nested_class(self) -> None:
        """A class inside another can be named."""
        (manager,) = self.parse(f"--scanner={MODULE}:Outer.Inner").managers
        self.assertEqual(manager.namespace, "named.example.com")

    def test_class_without_scanner(self) -> None:
        """A class whose instances are no scanners is refused with what it should be."""
        self.assert_refused([f"--scanner={MODULE}:NoScanner"], "NoScanner", "WatchingScanner")

    def test_function_without_scanner(self) -> None:
        """A function that makes no scanner is refused in the same way."""
        self.assert_refused([f"--scanner={MODULE}:no_scanner"], "no_scanner", "not a scanner")

    def test_builtin(self) -> None:
        """A builtin type, whose arguments cannot be looked up, is no scanner either."""
        self.assert_refused(["--scanner=builtins:dict"], "builtins:dict")

    def test_not_callable(self) -> None:
        """A name that is no class is refused."""
        self.assert_refused([f"--scanner={MODULE}:NOT_CALLABLE"], "NOT_CALLABLE is no class")

    def test_constructor_raises(self) -> None:
        """An error of a constructor, in many lines, becomes one line that names the scanner."""
        self.assert_refused(
            [f"--scanner={MODULE}:Raising"],
            f"--scanner {MODULE}:Raising",
            "RuntimeError: the first line and the second",
        )

    def test_constructor_exits(self) -> None:
        """A constructor that wants to end the process is refused like one that raises."""
        self.assert_refused([f"--scanner={MODULE}:Exiting"], "Exiting")

    def test_no_ordinary_exceptions(self) -> None:
        """Neither is what Python does not count as an ordinary exception; Ctrl-C passes."""
        for number, (raised, name) in enumerate(
            (
                ("asyncio.CancelledError('why')", "CancelledError: why"),
                ("GeneratorExit", "GeneratorExit"),
                ("BaseExceptionGroup('all', [SystemExit(1)])", "BaseExceptionGroup: all"),
            )
        ):
            text = f"import asyncio\ndef {{}}:\n    raise {raised}\n{{}}"
            self.module(f"base{number}_scanner", text.format("Scanner()", ""))
            self.assert_refused([f"--scanner=base{number}_scanner:Scanner"], name, ".py:3")
            self.module(f"base{number}_module", text.format("fail()", "fail()\n"))
            self.assert_refused([f"--scanner=base{number}_module:Scanner"], name, ".py:3")
        self.module("interrupted_scanner", "raise KeyboardInterrupt\n")
        with self.assertRaises(KeyboardInterrupt):
            self.parse("--scanner=interrupted_scanner:Scanner")

    def test_namespace_raises(self) -> None:
        """An error of a property of that name is the line."""
        self.module(
            "moody_scanner",
            f"from {MODULE} import Named\nclass Scanner(Named):\n"
            "    @property\n    def namespace(self):\n        return {}['x']\n",
        )
        self.assert_refused(
            ["--scanner=moody_scanner:Scanner"], "its namespace raised KeyError", ".py:5"
        )

    def test_one_bad_scanner_of_two(self) -> None:
        """One bad scanner is enough to refuse the whole command line."""
        self.assert_refused([NAMED, f"--scanner={MODULE}:Raising"], "Raising")


class SetRefusalTests(CommandLine):
    """Errors in a --set, in one line."""

    def test_before_any_scanner(self) -> None:
        """--set before the first --scanner says where to put it."""
        self.assert_refused(["--set", "count=1", NAMED], "--set count=1", "after the --scanner")

    def test_without_equals_sign(self) -> None:
        """--set without a key and a value says how to write it."""
        for assignment in ("count", "=1", ""):
            with self.subTest(assignment):
                self.assert_refused([NAMED, "--set", assignment], "key=value")

    def test_unknown_name(self) -> None:
        """An argument that the class does not have is named, with those that it has."""
        self.assert_refused(
            [f"--scanner={MODULE}:WithArguments", "--set", "colour=red"],
            "colour",
            "WithArguments",
            "count, names",
        )
        self.assert_refused(
            [f"--scanner={MODULE}:WithArguments", "--set", "nmaes=red"], "did you mean names?"
        )

    def test_unconvertible(self) -> None:
        """A value that does not convert is quoted with what was expected."""
        self.assert_refused(
            [f"--scanner={MODULE}:WithArguments", "--set", "count=many"],
            "--set count=many",
            "whole number",
        )

    def test_missing(self) -> None:
        """An argument that must be given is named with the option to add."""
        self.assert_refused([f"--scanner={MODULE}:Needy"], "Needy", "--set port=")

    def test_line_break_in_a_value(self) -> None:
        """A value with a line break in it is quoted without breaking the line."""
        self.assert_refused(
            [f"--scanner={MODULE}:WithArguments", "--set", "count=1\n2"], "whole number"
        )


class OptionRefusalTests(CommandLine):
    """Errors in any other option, in one line."""

    def test_unknown_option(self) -> None:
        """An unknown option is named."""
        self.assert_refused(["--no-such-option", NAMED], "--no-such-option", "--help")
        self.assert_refused(["-q", NAMED], "-q: there is no such option")

    def test_misspelt_option(self) -> None:
        """The option that may have been meant is named, with its dashes."""
        for written, option in (
            ("scaner", "scanner"),
            ("plugindir", "plugin-dir"),
            ("log_format", "log-format"),
            ("Namespace", "namespace"),
            ("vmodul_e", "vmodule"),
        ):
            self.assert_refused([f"--{written}=x", NAMED], f"--{written}: ", f"mean --{option}?")

    def test_option_of_twistds(self) -> None:
        """An option of twistd's own in the wrong place is no misspelt one of ours."""
        options = tap.Options()
        options.parent = ServerOptions()
        error = self.assertRaises(SystemExit, options.parseOptions, ["--pidfile=", NAMED])
        self.assertIn("--pidfile: it is twistd's own; write it before", str(error.code))

    def test_option_without_value(self) -> None:
        """An option that lacks its value is named."""
        self.assert_refused(["--scanner"], "--scanner requires argument")

    def test_stray_argument(self) -> None:
        """An argument that is no option is quoted."""
        self.assert_refused([NAMED, "stray"], "stray", "--")

    def test_bad_namespace(self) -> None:
        """A namespace that the kubelet would refuse is quoted with the rule it breaks."""
        self.assert_refused(
            [NAMED, "--namespace=Upper.example.com"], "--namespace 'Upper", "lower-case"
        )
        self.assert_refused([NAMED, "--namespace=a.example/b"], "'/'")
        self.assert_refused([NAMED, "--namespace=x.kubernetes.io"], "reserved")

    def test_bad_namespace_of_the_scanner(self) -> None:
        """A scanner's own namespace is checked like one that was given."""
        name = f"{MODULE}:BadlyNamed"
        self.assert_refused([f"--scanner={name}"], f"{name}: its own namespace 'Bad/Name'")

    def test_no_namespace(self) -> None:
        """A scanner without a namespace needs --namespace, and the line says so."""
        self.assert_refused([f"--scanner={MODULE}:Plain"], f"{MODULE}:Plain", "--namespace=DOMAIN")

    def test_checks(self) -> None:
        """The checks of nodes and paths are set for each scanner, or for all."""
        for check in ("nodes", "paths"):
            option, setting = f"--check-{check}", f"check_{check}"
            for arguments, expected in (
                ([NAMED], [True]),
                ([NAMED, f"{option}=false", NAMED], [False, True]),
                ([f"{option}=false", NAMED, NAMED, f"{option}=true"], [False, True]),
            ):
                managers = self.parse(*arguments).managers
                found = [getattr(manager._settings, setting) for manager in managers]
                self.assertEqual(found, expected)
            for value in ("", "no", "True"):
                self.assert_refused([NAMED, f"{option}={value}"], f"check-{check}", "true or false")

    def test_bad_scan_timeout(self) -> None:
        """A scan timeout must be a positive, finite number."""
        for value in ("soon", "", "0", "-1", "nan", "inf"):
            with self.subTest(value):
                self.assert_refused([NAMED, f"--scan-timeout={value}"], "--scan-timeout", value)
                self.assert_refused([f"--scan-timeout={value}", NAMED], "--scan-timeout", value)

    def test_hook_timeout(self) -> None:
        """So must a hook's; it belongs to the scanner before it, or is a default for all."""
        for value in ("soon", "0", "nan", "inf"):
            with self.subTest(value):
                self.assert_refused([NAMED, f"--hook-timeout={value}"], "hook-timeout", value)
        options = self.parse("--hook-timeout=7", NAMED, NAMED, "--hook-timeout=2.5")
        found = [manager._settings.hook_timeout for manager in options.managers]
        self.assertEqual(found, [7.0, 2.5])
        self.assertEqual(self.parse(NAMED).managers[0]._settings.hook_timeout, 60.0)

    def test_bad_scanners(self) -> None:
        """A scanner that could not run is refused in one line, before anything starts."""
        self.assert_refused([f"--scanner={MODULE}:WithoutDiscover"], "does not define discover()")

    def test_missing_plugin_directory(self) -> None:
        """A plugin directory that is missing with its parent is taken for a mistake."""
        path = os.path.join(self.directory, "absent", "p")
        self.assert_refused([NAMED], path, "--plugin-dir", plugin_dir=path)
        self.assertFalse(os.path.exists(os.path.dirname(path)))

    def test_plugin_directory_to_come(self) -> None:
        """A plugin directory that only is not there yet is accepted, and not made."""
        path = os.path.join(self.directory, "later")
        self.parse(NAMED, plugin_dir=path)
        self.assertFalse(os.path.exists(path))

    def test_another_reactor(self) -> None:
        """The error of the reactor check is the line."""

        def refuse(reactor: object) -> None:
            raise BadSetting("reactor PollReactor: leave --reactor out")

        self.patch(tap, "require_asyncio_reactor", refuse)
        self.assert_refused([NAMED], "reactor PollReactor: leave --reactor out")


class ScopeTests(CommandLine):
    """Which scanner an option belongs to."""

    def managers(self, *arguments: str) -> list[tuple[str, float]]:
        """Namespace and scan timeout of each manager."""
        return [
            (manager.namespace, manager._settings.scan_timeout)
            for manager in self.parse(*arguments).managers
        ]

    def test_own_namespace(self) -> None:
        """A scanner's own namespace is used when none is given."""
        self.assertEqual(self.managers(NAMED), [("named.example.com", 30.0)])

    def test_namespace_given(self) -> None:
        """A namespace on the command line wins over the scanner's own."""
        self.assertEqual(
            self.managers(NAMED, "--namespace=other.example.com"), [("other.example.com", 30.0)]
        )

    def test_defaults(self) -> None:
        """Before the first --scanner, options are defaults for all."""
        self.assertEqual(
            self.managers("--namespace=all.example.com", "--scan-timeout=5", NAMED, NAMED),
            [("all.example.com", 5.0), ("all.example.com", 5.0)],
        )

    def test_own(self) -> None:
        """After a --scanner, options belong to it alone and win over the defaults."""
        self.assertEqual(
            self.managers(
                *("--namespace=all.example.com", "--scan-timeout=5"),
                *(NAMED, "--namespace=first.example.com"),
                *(NAMED, "--scan-timeout=7"),
                NAMED,
            ),
            [("first.example.com", 5.0), ("all.example.com", 7.0), ("all.example.com", 5.0)],
        )

    def test_does_not_leak(self) -> None:
        """Options of one scanner are no defaults for the next."""
        self.assertEqual(
            self.managers(NAMED, "--namespace=a.example.com", "--scan-timeout=2.5", NAMED),
            [("a.example.com", 2.5), ("named.example.com", 30.0)],
        )

    def test_set_belongs_to_the_scanner_before(self) -> None:
        """--set is an argument of the --scanner before it; repeated, it makes a list."""
        first, second = self.parse(
            *(f"--scanner={MODULE}:WithArguments", "--set", "count=2"),
            *("--set", "names=a", "--set", "names=b"),
            *(f"--scanner={MODULE}:WithArguments", "--set", "names=c=d"),
        ).managers
        assert isinstance(first.scanner, WithArguments)
        assert isinstance(second.scanner, WithArguments)
        self.assertEqual((first.scanner.count, first.scanner.names), (2, ["a", "b"]))
        self.assertEqual((second.scanner.count, second.scanner.names), (1, ["c=d"]))

    def test_order(self) -> None:
        """Several scanners give as many managers, in the order given."""
        managers = self.parse(
            *(f"--scanner={MODULE}:Plain", "--namespace=plain.example.com"),
            *(NAMED, f"--scanner={MODULE}:OwnLoop"),
        ).managers
        self.assertEqual([type(m.scanner) for m in managers], [Plain, Named, OwnLoop])

    def test_function(self) -> None:
        """A function that makes a scanner is as good as a class, its annotations included."""
        (manager,) = self.parse(f"--scanner={MODULE}:make_scanner", "--set", "count=3").managers
        assert isinstance(manager.scanner, WithArguments)
        self.assertEqual(manager.scanner.count, 3)

    def test_plugin_directory(self) -> None:
        """All managers use the one plugin directory, made absolute."""
        relative = os.path.relpath(self.plugin_dir)
        for manager in self.parse(NAMED, NAMED, plugin_dir=relative).managers:
            self.assertEqual(manager._settings.plugin_dir, os.path.abspath(relative))

    def test_current_directory_is_searched(self) -> None:
        """A module in the current directory is found."""
        self.module("beside_me", f"from {MODULE} import Named\n")
        sys.path.remove(self.modules)
        here = os.getcwd()
        self.addCleanup(os.chdir, here)
        os.chdir(self.modules)
        self.assertEqual(self.managers("--scanner=beside_me:Named")[0][0], "named.example.com")


class MakeServiceTests(CommandLine):
    """`tap.makeService`"""

    def test_service(self) -> None:
        """The service is a MultiService with a manager for each scanner."""
        options = self.parse(NAMED, f"--scanner={MODULE}:OwnLoop")
        service = tap.makeService(options)
        assert isinstance(service, MultiService)
        managers = [one for one in service if isinstance(one, Manager)]
        self.assertEqual(managers, options.managers)
        self.assertEqual(len(managers), 2)
        self.assertFalse(service.running)

    def test_touches_nothing(self) -> None:
        """Parsing and making the service start no thread, no timer and make no file."""
        threads, timers = set(threading.enumerate()), reactor.getDelayedCalls()
        tap.makeService(self.parse(NAMED, NAMED))
        self.assertEqual(set(threading.enumerate()), threads)
        self.assertEqual(reactor.getDelayedCalls(), timers)
        self.assertEqual(os.listdir(self.plugin_dir), [])

    def test_plugin(self) -> None:
        """twistd finds the command under its name, with these options and this service."""
        (maker,) = [m for m in getPlugins(IServiceMaker) if m.tapname == "deviceplugin"]
        self.assertIs(maker.options, tap.Options)
        self.assertIs(maker.makeService, tap.makeService)


class ReporterTests(CommandLine):
    """`tap.makeService`, if a service manager asks for reports."""

    def test_reporter(self) -> None:
        """It is the last service, so that it is stopped first; no child gets the variables."""
        self.patch(os, "environ", {**os.environ, "NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1"})
        service = tap.makeService(self.parse(NAMED))
        assert isinstance(service, MultiService)
        self.assertIsInstance(list(service)[-1], Reporter)
        self.assertFalse({"NOTIFY_SOCKET", "WATCHDOG_USEC"} & os.environ.keys())

    def test_none(self) -> None:
        """Without a service manager that asks, there are no reports."""
        environ = {key: text for key, text in os.environ.items() if key != "NOTIFY_SOCKET"}
        self.patch(os, "environ", environ)
        service = tap.makeService(self.parse(NAMED, "--status-socket="))
        assert isinstance(service, MultiService)
        self.assertIsInstance(list(service)[-1], Manager)


class InformationTests(CommandLine):
    """--help and --version."""

    def test_version(self) -> None:
        """--version prints the version and ends with success."""
        output = StringIO()
        self.patch(sys, "stdout", output)
        error = self.assertRaises(SystemExit, self.parse, "--version")
        self.assertEqual(error.code, 0)
        self.assertEqual(output.getvalue(), f"twistdp {version('twistdp')}\n")

    def test_help(self) -> None:
        """The usage names every option with a text."""
        usage = tap.Options().getUsage()
        for option in ("scanner", "set", "namespace", "scan-timeout", "plugin-dir", "help"):
            self.assertRegex(usage, rf"--{option}[ =] +\S")
        for option in ("v", "vmodule", "skip-headers", "log-format"):
            self.assertRegex(usage, rf"--{option}[ =] +\S")

    def test_flags(self) -> None:
        """The flags have the options of HTTP, of the log and of the manhole."""
        scanner = "--scanner=twistdp.scanners:GlobScanner"
        rest = ("--set=resource=x", "--set=pattern=/dev/null", "--namespace=x.example")
        flags = self.parse(scanner, *rest).flags()
        self.assertLessEqual({"log-format": "text", "v": "0"}.items(), flags.items())
        self.assertFalse(
            flags.keys() & {"http", "http-host", "http-pods", "status-socket", "manhole"}
        )
        given = {
            "http": "tcp:9102 unix:/x.sock",
            "http-host": "node-1",
            "http-pods": "true",
            "status-socket": "none",
            "manhole": "/run/x",
            "log-format": "json",
        }
        options = (
            *("--http=tcp:9102", "--http=unix:/x.sock", "--http-host=node-1", "--http-pods"),
            *("--status-socket=", "--manhole=/run/x", "--log-format=json"),
        )
        flags = self.parse(*options, scanner, *rest).flags()
        self.assertLessEqual(given.items(), flags.items())


class LoggingTests(CommandLine):
    """The options of logging."""

    def test_default(self) -> None:
        """Without options: level 0, text with headers."""
        self.assertEqual(self.parse(NAMED).log, LogSettings())

    def test_level(self) -> None:
        """The level can be written in every way that klog's flag can."""
        for arguments in (["-v", "4"], ["-v4"], ["-v=4"], ["--v=4"], ["--v", "4"]):
            with self.subTest(arguments):
                self.assertEqual(self.parse(NAMED, *arguments).log.level, 4)

    def test_bad_level(self) -> None:
        """A level that is no whole number is quoted."""
        for level in ("many", "-1", "1.5", "", "=", "1_0", "\u0661", "9" * 5000):
            with self.subTest(level):
                self.assert_refused([NAMED, f"-v={level}"], f"-v {level}", "whole number")

    def test_vmodule(self) -> None:
        """Levels of files are kept as they are given."""
        self.assertEqual(self.parse(NAMED, "--vmodule=a=1,b*=2").log.vmodule, "a=1,b*=2")

    def test_bad_vmodule(self) -> None:
        """Text that is no list of files and levels is refused by its wrong part."""
        self.assert_refused([NAMED, "--vmodule=a=1,b"], "--vmodule b", "pattern=N")

    def test_log_format(self) -> None:
        """The form is text or json."""
        self.assertTrue(self.parse(NAMED, "--log-format=json").log.json)
        self.assertFalse(self.parse(NAMED, "--log-format", "text").log.json)
        self.assert_refused([NAMED, "--log-format=xml"], "--log-format xml", "text or json")

    def test_parsing_changes_nothing(self) -> None:
        """The levels are in force when the service becomes part of an application."""
        tap.makeService(self.parse(NAMED, "-v9", "--vmodule=a=9"))
        self.assertEqual((klog.level(), klog.shown(1, "a.py")), (0, False))
