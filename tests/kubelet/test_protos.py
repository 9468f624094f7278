"""The generated code, and the names on the wire, are those of ``protos/``."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import grpc_tools
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc
from twisted.trial.unittest import SynchronousTestCase

from twistdp.kubelet import (
    api,
    deviceplugin_v1beta1_pb2,
    pluginregistration_v1_pb2,
    podresources_v1_pb2,
)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROTOS = os.path.join(ROOT, "protos")
MODULES: dict[str, ModuleType] = {
    "deviceplugin_v1beta1": deviceplugin_v1beta1_pb2,
    "pluginregistration_v1": pluginregistration_v1_pb2,
    "podresources_v1": podresources_v1_pb2,
}
STALE = "stale generated code: run 'make protos'"


def methods(module: ModuleType) -> set[str]:
    """All methods of an API, as they are called on the wire."""
    services = module.DESCRIPTOR.services_by_name.values()
    return {
        f"/{service.full_name}/{method.name}" for service in services for method in service.methods
    }


def clear_json_names(messages: Iterable[DescriptorProto]) -> None:
    """Remove the JSON names, which generated code leaves out."""
    for message in messages:
        for field in message.field:
            field.ClearField("json_name")
        clear_json_names(message.nested_type)


class GeneratedTests(SynchronousTestCase):
    """``twistdp/kubelet/*_pb2.py``"""

    def setUp(self) -> None:
        """Compile the sources."""
        directory = tempfile.mkdtemp(prefix="pb-")
        self.addCleanup(shutil.rmtree, directory)
        compiled = os.path.join(directory, "set")
        status = protoc.main(
            [
                "protoc",
                f"-I{PROTOS}",
                f"-I{os.path.join(os.path.dirname(grpc_tools.__file__), '_proto')}",
                f"--descriptor_set_out={compiled}",
                "--include_imports",
                *(os.path.join(PROTOS, f"{name}.proto") for name in MODULES),
            ]
        )
        self.assertEqual(status, 0)
        with open(compiled, "rb") as file:
            self.files = FileDescriptorSet.FromString(file.read()).file

    def copy(self, descriptor: Any) -> FileDescriptorProto:
        """A file's descriptor as a message, which can be compared."""
        message = FileDescriptorProto()
        descriptor.CopyToProto(message)
        clear_json_names(message.message_type)
        return message

    def test_every_source_has_its_module(self) -> None:
        """Each .proto file has a generated module with a type stub, and the other way round."""
        sources = {name[: -len(".proto")] for name in os.listdir(PROTOS) if name.endswith(".proto")}
        self.assertEqual(sources, set(MODULES))
        generated = os.listdir(os.path.join(ROOT, "twistdp", "kubelet"))
        for suffix in ("_pb2.py", "_pb2.pyi"):
            self.assertEqual(
                {name[: -len(suffix)] for name in generated if name.endswith(suffix)}, sources
            )

    def test_up_to_date(self) -> None:
        """The generated modules describe just what their sources say."""
        pool = descriptor_pool.DescriptorPool()
        for file in self.files:
            pool.Add(file)
        for name, module in MODULES.items():
            source = self.copy(pool.FindFileByName(f"{name}.proto"))
            self.assertGreater(len(source.message_type), 0)
            self.assertEqual(self.copy(module.DESCRIPTOR), source, STALE)

    def test_stubs_up_to_date(self) -> None:
        """The type stubs have every message with all of its fields."""
        for name, module in MODULES.items():
            path = os.path.join(ROOT, "twistdp", "kubelet", f"{name}_pb2.pyi")
            with open(path, encoding="utf-8") as file:
                stub = file.read()
            classes = set(re.findall(r"(?m)^class (\w+)\(", stub))
            self.assertEqual(
                classes,
                {*module.DESCRIPTOR.message_types_by_name, *module.DESCRIPTOR.enum_types_by_name},
                STALE,
            )
            for message in module.DESCRIPTOR.message_types_by_name.values():
                body = stub.partition(f"class {message.name}(")[2].partition("\nclass ")[0]
                fields = set(re.findall(r"(?m)^    (\w+): (?!_ClassVar)", body))
                self.assertEqual(fields, set(message.fields_by_name), STALE)

    def test_a_pool_of_their_own(self) -> None:
        """The default pool stays free, since another library may bring the same APIs."""
        default = descriptor_pool.Default()
        for module in MODULES.values():
            self.assertIsNot(module.DESCRIPTOR.pool, default)
            for message in module.DESCRIPTOR.message_types_by_name.values():
                self.assertRaises(KeyError, default.FindMessageTypeByName, message.full_name)
            self.assertRaises(KeyError, default.FindFileByName, module.DESCRIPTOR.name)


class NamesTests(SynchronousTestCase):
    """The constants of `twistdp.kubelet.api`."""

    def test_device_plugin(self) -> None:
        """Version and methods of the device plugin API are those of its source."""
        self.assertEqual(deviceplugin_v1beta1_pb2.DESCRIPTOR.package, api.VERSION)
        self.assertEqual(
            methods(deviceplugin_v1beta1_pb2),
            {
                api.REGISTER,
                api.GET_OPTIONS,
                api.LIST_AND_WATCH,
                api.GET_PREFERRED_ALLOCATION,
                api.ALLOCATE,
                api.PRE_START_CONTAINER,
            },
        )

    def test_pod_resources(self) -> None:
        """The methods of the pod-resources API are those of its source."""
        self.assertEqual(
            methods(podresources_v1_pb2),
            {api.POD_RESOURCES_LIST, api.POD_RESOURCES_GET, api.POD_RESOURCES_ALLOCATABLE},
        )

    def test_streams(self) -> None:
        """ListAndWatch is the only method that answers with a stream."""
        streams = {
            f"/{service.full_name}/{method.name}"
            for module in MODULES.values()
            for service in module.DESCRIPTOR.services_by_name.values()
            for method in service.methods
            if method.server_streaming or method.client_streaming
        }
        self.assertEqual(streams, {api.LIST_AND_WATCH})
