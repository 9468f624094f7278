"""Bytes that a caller may send: messages, right and wrong, as protobuf's encoding has them."""

from collections.abc import Callable

from hypothesis import strategies as st

from twistdp.kubelet.api import (
    ALLOCATE,
    GET_INFO,
    GET_OPTIONS,
    GET_PREFERRED_ALLOCATION,
    LIST_AND_WATCH,
    NOTIFY_STATUS,
    PRE_START_CONTAINER,
)

KNOWN = ("a", "b", "card0-0", "card0-1", "card1-0", "sick")
"""The ids that the tests' resource has; the last one is unhealthy."""


def varint(number: int) -> bytes:
    """A number of up to 64 bits, negative ones as protobuf has them."""
    number &= (1 << 64) - 1
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def field(number: int, content: bytes) -> bytes:
    """A field that holds text, bytes or a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    """A field that holds a number."""
    return varint(number << 3) + varint(value)


def texts(number: int, values: list[bytes]) -> bytes:
    """A repeated field."""
    return b"".join(field(number, value) for value in values)


def _one_of(values: list[bytes]) -> st.SearchStrategy[bytes]:
    """By number: hypothesis would print the values themselves, and some are long."""
    return st.integers(0, len(values) - 1).map(values.__getitem__)


ids = st.one_of(
    st.sampled_from(KNOWN).map(str.encode),
    _one_of(
        [
            b"",
            b"\0",
            b"x\nE0101 00:00:00.000000       1 manager.py:1] forged line",
            b"\r\x1b[2J\x07",
            "\u2028\u202e\x85".encode(),
            "\U0001f600".encode(),
            b"\xed\xa0\x80",  # a surrogate, which is not UTF-8
            b"\xff\xfe",
            b"9" * 5000,
            b"x" * 0x10000,
            "\u00e9".encode() * 40000,
        ]
    ),
    st.binary(max_size=80),
    st.text(max_size=40).map(str.encode),
)
many_ids = st.lists(ids, max_size=6) | st.builds(
    lambda id_, count: [b"%s%d" % (id_[:40], n) for n in range(count)],
    ids,
    st.sampled_from([1000, 5000]),
)
sizes = st.sampled_from([0, 1, 2, 3, 4, 100, -1, -(2**31), 2**31 - 1, 2**31, 2**63, 2**64 - 1])


def _crowd(part: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """A message of very many, but small requests."""
    return st.builds(lambda part, count: texts(1, [part[:4]]) * count, part, st.integers(900, 1100))


def _each(part: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """A message of container requests, usually one."""
    return (
        st.lists(part, min_size=1, max_size=1).map(lambda parts: texts(1, parts))
        | st.lists(part, max_size=5).map(lambda parts: texts(1, parts))
        | _crowd(part)
    )


allocations = _each(many_ids.map(lambda values: texts(1, values)))
preferences = _each(
    st.builds(
        lambda available, must, size: texts(1, available) + texts(2, must) + number_field(3, size),
        many_ids,
        st.lists(ids, max_size=4),
        sizes,
    )
)
pre_starts = many_ids.map(lambda values: texts(1, values))
infos = st.just(b"") | ids.map(lambda text: field(1, text))
statuses = st.builds(
    lambda registered, error: number_field(1, registered) + field(2, error),
    st.sampled_from([0, 0, 0, 1, 2, 2**64 - 1]),
    ids,
)


def _nested(depth: int) -> bytes:
    message = b""
    for _ in range(depth):
        message = field(1, message)
        if len(message) > 60_000:
            break
    return message


junk = st.one_of(
    st.binary(max_size=200),
    _one_of(
        [
            b"\x0b" * 10_000,  # groups that begin and never end
            b"\x0b" * 90 + b"\x0c" * 90,
            b"\x0c",
            b"\x00" * 50,
            b"\xff" * 11,
            b"\x0a" + varint(2**31 - 1),
            b"\x0a" + varint(2**63),
            b"\x0a" + b"\x80" * 20,
            b"\x0d\x00",
            b"\x09\x00\x00",
            b"\x0f",
            _nested(5000),
            number_field(2**29 - 1, 2**64 - 1),
            number_field(5, 7) * 3000,
            field(15, b"unknown" * 1000),
        ]
    ),
)

Mutation = Callable[[bytes], bytes]


def _flip(place: int, bit: int) -> Mutation:
    def flip(data: bytes) -> bytes:
        if not data:
            return data
        where = place % len(data)
        return data[:where] + bytes([data[where] ^ 1 << bit]) + data[where + 1 :]

    return flip


def _cut(place: int) -> Mutation:
    return lambda data: data[: place % (len(data) + 1)]


def _insert(place: int, more: bytes) -> Mutation:
    return lambda data: data[: place % (len(data) + 1)] + more + data[place % (len(data) + 1) :]


def _repeat(begin: int, end: int) -> Mutation:
    return lambda data: data + data[begin % (len(data) + 1) : end % (len(data) + 1)]


_places = st.integers(0, 2**16)
mutations = st.one_of(
    st.builds(_flip, _places, st.integers(0, 7)),
    st.builds(_cut, _places),
    st.builds(_insert, _places, junk),
    st.builds(_repeat, _places, _places),
)


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """A message, usually with some damage."""
    data = draw(valid)
    for mutation in draw(st.lists(mutations, max_size=3)):
        data = mutation(data)
    return data


def payloads(valid: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes that may come in place of a message of this kind."""
    return st.one_of(valid, mutated(valid), mutated(valid), junk)


PLUGIN = {
    GET_OPTIONS: payloads(st.just(b"")),
    LIST_AND_WATCH: payloads(st.just(b"")),
    ALLOCATE: payloads(allocations),
    GET_PREFERRED_ALLOCATION: payloads(preferences),
    PRE_START_CONTAINER: payloads(pre_starts),
}
"""Requests for each method of a plugin's socket."""

WATCHER = {GET_INFO: payloads(infos), NOTIFY_STATUS: payloads(statuses)}
"""Requests for the methods that a plugin has for the kubelet's plugin watcher."""


def calls(methods: dict[str, st.SearchStrategy[bytes]]) -> st.SearchStrategy[tuple[str, bytes]]:
    """A method and what to send to it."""
    return st.one_of(*(st.tuples(st.just(method), payload) for method, payload in methods.items()))
