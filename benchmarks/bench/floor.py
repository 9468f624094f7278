"""``floor.py aio|sync single|many PLUGINS DEVICES ANSWER``: the cost of grpcio itself.

It registers, sends one list, and answers an Allocate, which it does not look at, with so many
bytes.  Nothing of twistdp or protobuf is imported.
"""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

REGISTER = "/v1beta1.Registration/Register"


def text(field: int, value: bytes) -> bytes:
    """A field of a message, of at most 127 bytes."""
    return bytes([field << 3 | 2, len(value)]) + value


def served(how: str, devices: str) -> Iterator[tuple[str, bytes]]:
    """Resources and their lists, encoded."""
    folders = [("file", devices)]
    if how == "many":
        folders = [(name, os.path.join(devices, name)) for name in os.listdir(devices)]
    for name, path in folders:
        ids = sorted(os.listdir(path))
        yield name, b"".join(text(1, text(1, id_.encode()) + text(2, b"Healthy")) for id_ in ids)


def registration(name: str) -> bytes:
    """The Register request of a resource."""
    resource = f"floor.example.com/{name}"
    return text(1, b"v1beta1") + text(2, f"{name}.sock".encode()) + text(3, resource.encode())


def handlers(watch: Any, empty: Any, allocate: Any) -> tuple[grpc.GenericRpcHandler]:
    """The plugin's methods, which parse nothing."""
    one, many = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
    methods = {
        "GetDevicePluginOptions": one(empty),
        "ListAndWatch": many(watch),
        "Allocate": one(allocate),
    }
    return (grpc.method_handlers_generic_handler("v1beta1.DevicePlugin", methods),)


def serve_sync(how: str, plugins: str, devices: str, answer: bytes) -> None:
    """Serve with threads."""
    servers = []
    for name, message in served(how, devices):

        def watch(request: bytes, context: Any, message: bytes = message) -> Iterator[bytes]:
            yield message
            ended = threading.Event()
            context.add_callback(ended.set)
            ended.wait()

        server = grpc.server(ThreadPoolExecutor(max_workers=10))
        server.add_generic_rpc_handlers(handlers(watch, lambda *_: b"", lambda *_: answer))
        server.add_insecure_port(f"unix:{plugins}/{name}.sock")
        server.start()
        servers.append(server)
        with grpc.insecure_channel(f"unix:{plugins}/kubelet.sock") as channel:
            channel.unary_unary(REGISTER)(registration(name), timeout=10)
    servers[0].wait_for_termination()


async def serve_aio(how: str, plugins: str, devices: str, answer: bytes) -> None:
    """Serve in one thread."""
    servers = []

    async def empty(request: bytes, context: Any) -> bytes:
        return b""

    async def allocate(request: bytes, context: Any) -> bytes:
        return answer

    channel = grpc.aio.insecure_channel(f"unix:{plugins}/kubelet.sock")

    async def serve(name: str, message: bytes) -> None:
        async def watch(request: bytes, context: Any) -> None:
            await context.write(message)
            await asyncio.Event().wait()

        server = grpc.aio.server()
        server.add_generic_rpc_handlers(handlers(watch, empty, allocate))
        server.add_insecure_port(f"unix:{plugins}/{name}.sock")
        await server.start()
        servers.append(server)
        await channel.unary_unary(REGISTER)(registration(name), timeout=10)

    await asyncio.gather(*(serve(name, message) for name, message in served(how, devices)))
    await channel.close()
    await asyncio.Event().wait()


def main(kind: str, how: str, plugins: str, devices: str, answer: str) -> None:
    """Serve until killed."""
    if kind == "sync":
        serve_sync(how, plugins, devices, bytes(int(answer)))
    else:
        asyncio.run(serve_aio(how, plugins, devices, bytes(int(answer))))


if __name__ == "__main__":
    main(*sys.argv[1:])
