"""Asks a plugin over HTTP, as Prometheus and browsers do, until its input ends.

    python asking.py SOCKET SCRAPES_A_SECOND STREAMS

Prints a line when all streams are open, and one with the number of scrapes at the end.
"""

import asyncio
import sys
import time


async def follow(socket: str, opened: "asyncio.Queue[None]") -> None:
    """One event stream."""
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"retry:")
    opened.put_nowait(None)
    while await reader.read(65536):
        pass


async def scrape(socket: str, rate: int, counts: "list[int]") -> None:
    """So many requests a second on one connection."""
    reader, writer = await asyncio.open_unix_connection(socket)
    begin = time.perf_counter()
    while True:
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200"), head
        if b"chunked" in head:
            while (size := int(await reader.readline(), 16)) > 0:
                await reader.readexactly(size + 2)
            await reader.readline()
        else:
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        counts[0] += 1
        await asyncio.sleep(max(0.0, begin + counts[0] / rate - time.perf_counter()))


async def main(socket: str, rate: str, streams: str) -> None:
    """Ask until the input ends."""
    opened: asyncio.Queue[None] = asyncio.Queue()
    counts = [0]
    tasks = [asyncio.create_task(follow(socket, opened)) for _ in range(int(streams))]
    for _ in tasks:
        await opened.get()
    tasks.append(asyncio.create_task(scrape(socket, int(rate), counts)))
    print("open", flush=True)
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()
            raise SystemExit("a stream has ended")
    print(counts[0], flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
