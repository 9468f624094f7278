"""Tests for `twistdp.deployment.image`: the Dockerfile."""

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.support.deployments import content
from tests.test_packaging import FILES, PACKAGES
from twistdp.deployment.image import dockerfile


class ImageTests(SynchronousTestCase):
    """`dockerfile`"""

    def test_context(self) -> None:
        """The image copies the files that a wheel is made of."""
        self.assertEqual(
            set(re.findall(r"(?m)^!(.*)", content(".dockerignore"))),
            {*FILES, *PACKAGES},
        )

    def test_nothing_of_others_is_removed(self) -> None:
        """No Dockerfile deletes a part of a package; pip uninstalls what only builds."""
        for text, without in (
            (content("docker", "Dockerfile"), "setuptools pip"),
            (content("docker", "operator.Dockerfile"), "setuptools pip"),
            (dockerfile("thermo", build="make image", requirements="pins", labels={}), "pip"),
        ):
            self.assertEqual(re.findall(r"\brm\b|-delete\b", text), [])
            self.assertEqual(re.findall(r"pip uninstall --quiet --yes (.*) &&", text), [without])

    def test_project(self) -> None:
        """A project has its own place, labels and default options, whatever letters these have."""
        text = dockerfile(
            "thermo",
            build="make image",
            requirements="pins",
            install="--find-links /src/wheels",
            labels={"title": "thermo", "description": 'a "hot" one'},
            options=["--scanner=thermo:A", '--set=x="y"'],
        )
        self.assertNotIn("twistdp", text)
        self.assertIn("cd /src/pins && ", text)
        self.assertIn("$pip --no-index --find-links /src/wheels /src\n", text)
        self.assertIn(
            'LABEL org.opencontainers.image.title="thermo" \\\n'
            '      org.opencontainers.image.description="a \\"hot\\" one"\n',
            text,
        )
        self.assertTrue(text.endswith('\nCMD ["--scanner=thermo:A", "--set=x=\\"y\\""]\n'), text)

    def test_operator(self) -> None:
        """The operator's image differs in what it installs and runs, and in its user."""
        plugin, operator = (
            set(content("docker", name).splitlines())
            for name in ("Dockerfile", "operator.Dockerfile")
        )
        lines = {line for line in operator - plugin if re.match(r"USER|ENTRY| +\$pip", line)}
        self.assertEqual(
            lines,
            {
                "    $pip --require-hashes --requirement operator.txt && \\",
                "USER 65532:65532",
                'ENTRYPOINT ["twistd", "-n", "--pidfile=", "deviceplugin-operator"]',
            },
        )
