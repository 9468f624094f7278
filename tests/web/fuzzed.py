"""``make test-http``: schemathesis asks a running plugin what its OpenAPI description allows."""

import os
import socket

from twisted.internet import reactor

from tests.integration.test_process import FOLDER, ProcessTestCase
from tests.support.http import ask
from twistdp.testing.process import ChildProcess

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance"
)


class FuzzTests(ProcessTestCase):
    """A plugin with an emulated kubelet."""

    timeout = 300

    async def test_described(self) -> None:
        """Whatever is asked, the answer is as described, no fault is logged, and it serves on."""
        await self.kubelet.start()
        self.make("a")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        child = self.folder_plugin_at(f"tcp:{port}:interface=127.0.0.1")
        await self.kubelet.listed(FOLDER, ["a"], 20)
        url = f"http://127.0.0.1:{port}"
        await self.validate(f"tcp:127.0.0.1:{port}")
        # A stream has no end, and schemathesis waits for it.
        fuzzer = ChildProcess(
            [
                *(os.environ["TWISTDP_SCHEMATHESIS"], "run", f"{url}/api/v1/openapi.json"),
                *("--url", url, "--exclude-path", "/api/v1/events", "--checks", CHECKS),
                *("--phases", "coverage,fuzzing", "--max-examples", "100"),
            ],
            reactor=reactor,
        )
        self.assertEqual(await fuzzer.ended, 0, fuzzer.output)
        self.assertNotIn("Traceback", child.output)
        self.make("b")
        await self.kubelet.listed(FOLDER, ["a", "b"], 20)

    async def validate(self, endpoint: str) -> None:
        """The description is as the OpenAPI specification has them."""
        path = os.path.join(self.directory, "openapi.json")
        with open(path, "wb") as file:
            file.write((await ask(endpoint, "/api/v1/openapi.json")).body)
        beside = os.path.dirname(os.environ["TWISTDP_SCHEMATHESIS"])
        program = os.path.join(beside, "openapi-spec-validator")
        validator = ChildProcess([program, path], reactor=reactor)
        self.assertEqual(await validator.ended, 0, validator.output)

    def folder_plugin_at(self, endpoint: str) -> ChildProcess:
        """As `folder_plugin`, and it answers HTTP there."""
        return self.plugin(
            "--scanner=twistdp.scanners:GlobScanner",
            *("--set", "resource=file", "--set", f"pattern={self.devices}/*"),
            *("--set", "nodes_only=false", "--namespace=folder.example.com"),
            *("--status-socket=", f"--http={endpoint}"),
        )
