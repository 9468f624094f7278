"""The contrast: a device plugin that is written by hand with grpcio, threads and a polling loop.

The files of a directory are its devices.  It works, and most plugins in Python look like it.  The
conformance suite shows what such a plugin does not survive:

    twistdp conformance --hotplug-add 'touch {work_dir}/b' --hotplug-remove 'rm {work_dir}/b' -- \
        sh -c 'touch {work_dir}/a; exec python examples/plain_grpcio.py {plugin_dir} {work_dir}'
"""

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from twistdp.kubelet import deviceplugin_v1beta1_pb2 as api

RESOURCE = "plain.example.com/file"
ENDPOINT = "plain.sock"


class Plugin:
    """Serves the files of `directory`."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def list_devices(self) -> api.ListAndWatchResponse:
        """All devices, every one of them healthy."""
        ids = sorted(os.listdir(self.directory))
        return api.ListAndWatchResponse(devices=[api.Device(ID=i, health="Healthy") for i in ids])

    def get_options(self, request: api.Empty, context: Any) -> api.DevicePluginOptions:
        """No optional methods."""
        return api.DevicePluginOptions()

    def list_and_watch(
        self, request: api.Empty, context: Any
    ) -> Iterator[api.ListAndWatchResponse]:
        """Look twice a second, with one thread for each stream."""
        last = None
        while context.is_active():
            now = self.list_devices()
            if now != last:
                yield now
                last = now
            time.sleep(0.5)

    def allocate(self, request: api.AllocateRequest, context: Any) -> api.AllocateResponse:
        """Allocate any device."""
        response = api.AllocateResponse()
        for container in request.container_requests:
            mounts = [
                api.Mount(
                    host_path=os.path.join(self.directory, i), container_path=f"/run/files/{i}"
                )
                for i in container.devices_ids
            ]
            response.container_responses.add(mounts=mounts)
        return response

    def handler(self) -> grpc.GenericRpcHandler:
        """The methods, by their names on the wire."""
        one, many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        return grpc.method_handlers_generic_handler(
            "v1beta1.DevicePlugin",
            {
                "GetDevicePluginOptions": one(self.get_options, *codec(api.Empty)),
                "ListAndWatch": many(self.list_and_watch, *codec(api.Empty)),
                "Allocate": one(self.allocate, *codec(api.AllocateRequest)),
            },
        )


def codec(request: Any) -> tuple[Any, Any]:
    """Deserializer and serializer."""
    return request.FromString, lambda message: message.SerializeToString()


def register(plugins: str, resource: str, endpoint: str) -> None:
    """Register with the kubelet.  Raises grpc.RpcError."""
    with grpc.insecure_channel(f"unix:{plugins}/kubelet.sock") as channel:
        call = channel.unary_unary(
            "/v1beta1.Registration/Register",
            api.RegisterRequest.SerializeToString,
            api.Empty.FromString,
        )
        call(
            api.RegisterRequest(version="v1beta1", endpoint=endpoint, resource_name=resource),
            timeout=5,
        )


def main(plugins: str, directory: str, resource: str = RESOURCE, endpoint: str = ENDPOINT) -> None:
    """Serve until killed; begin again when the socket is gone, as after a kubelet's restart."""
    plugin = Plugin(directory)
    path = os.path.join(plugins, endpoint)
    while True:
        if os.path.exists(path):
            os.unlink(path)
        server = grpc.server(ThreadPoolExecutor(max_workers=10))
        server.add_generic_rpc_handlers([plugin.handler()])
        server.add_insecure_port(f"unix:{path}")
        server.start()
        try:
            register(plugins, resource, endpoint)
        except grpc.RpcError as error:
            print(f"cannot register: {error.code()}", file=sys.stderr)  # noqa: T201
            server.stop(None)
            time.sleep(0.5)
            continue
        while os.path.exists(path):
            time.sleep(0.5)
        server.stop(None)


if __name__ == "__main__":
    main(*sys.argv[1:])
