"""For every rule of the custom resource an object that keeps it and one that breaks it alone."""

from collections.abc import Mapping
from typing import Any

import attrs

from tests.crds.objects import an_object

KVM: dict[str, Any] = {"catalog": [{"name": "kvm"}], "domain": "lab.example.com"}
CONFIG: dict[str, Any] = {"domain": "lab.example.com", "resources": {"kvm": "/dev/kvm"}}
SCANNER: dict[str, Any] = {"scanner": {"class": "camscan:CamScanner"}, "domain": "lab.example.com"}


@attrs.frozen
class Case:
    """`good` keeps a rule that `bad` breaks, at `place`, with a message that has `words`."""

    good: Mapping[str, Any]
    bad: Mapping[str, Any]
    place: str
    words: str


def _item(**keys: Any) -> dict[str, Any]:
    """An object with one entry of the catalogue."""
    return an_object(catalog=[keys], domain="lab.example.com")


def _spec(**keys: Any) -> dict[str, Any]:
    """An object with these keys beside its devices."""
    return an_object(**KVM, **keys)


def _scanner(**keys: Any) -> dict[str, Any]:
    return an_object(domain="lab.example.com", scanner={"class": "camscan:CamScanner", **keys})


def _init(**keys: Any) -> dict[str, Any]:
    return _spec(initContainer={"image": "init:1", **keys})


def _update(**keys: Any) -> dict[str, Any]:
    return _spec(updateStrategy=keys)


def _taint(**keys: Any) -> dict[str, Any]:
    return _spec(tolerations=[keys])


def _term(**keys: Any) -> dict[str, Any]:
    required = {"nodeSelectorTerms": [keys]}
    return _spec(
        affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    )


def _label(operator: str, *values: str, key: str = "gpu") -> dict[str, Any]:
    given = {"values": [*values]} if values else {}
    return _term(matchExpressions=[{"key": key, "operator": operator, **given}])


_TERM = (
    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"
)
_LABEL = f"{_TERM}.matchExpressions[0]"

NAMES = [
    Case(an_object(name), an_object(bad), "metadata", "at most 40 lower-case letters")
    for name, bad in (
        ("g" * 40, "g" * 41),
        ("a", "1a"),
        ("a-b", "a.b"),
    )
]

OF_SOURCES = [
    Case(
        an_object(**KVM), an_object(**{**KVM, **SCANNER}), "spec", "exactly one of config, catalog"
    ),
    Case(an_object(config=CONFIG), an_object(logLevel=1), "spec", "exactly one of config"),
    Case(
        an_object(**SCANNER),
        an_object(scanner={"class": "camscan:CamScanner"}),
        "spec.domain",
        "a scanner's resources need a domain",
    ),
    Case(
        an_object(config=CONFIG),
        an_object(config=CONFIG, domain="lab.example.com"),
        "spec.domain",
        "a configuration has a domain of its own",
    ),
    Case(
        an_object(catalog=[{"name": "intel-npu"}]),
        an_object(catalog=[{"name": "intel-npu"}, {"name": "kvm"}]),
        "spec.domain",
        "an entry of the catalogue has no domain of its own",
    ),
    Case(
        an_object(**{**KVM, "domain": "a-b.example"}),
        an_object(**{**KVM, "domain": "Lab.example.com"}),
        "spec.domain",
        "a domain has lower-case letters",
    ),
    Case(
        an_object(**{**KVM, "domain": "kubernetes.io.example"}),
        an_object(**{**KVM, "domain": "lab.kubernetes.io"}),
        "spec.domain",
        "a domain has lower-case letters",
    ),
    Case(
        an_object(**{**KVM, "domain": "request.example"}),
        an_object(**{**KVM, "domain": "requests.example"}),
        "spec.domain",
        "a domain has lower-case letters",
    ),
]

OF_THE_CATALOGUE = [
    Case(
        _item(name="loop"),
        _item(name="nvme"),
        "spec.catalog[0].name",
        "the entry selects too much alone",
    ),
    Case(
        _item(name="kvm", arguments={}),
        _item(name="kvm", arguments={"limit": ["4"]}),
        "spec.catalog[0].arguments",
        "only intel-fpga, intel-qat and intel-sgx have arguments",
    ),
    *(
        Case(
            _item(name=name, arguments={known: ["1"]}),
            _item(name=name, arguments={"limits": ["1"]}),
            "spec.catalog[0].arguments",
            f"{name} has no such argument; it has ",
        )
        for name, known in (
            ("intel-fpga", "mode"),
            ("intel-qat", "limit"),
            ("intel-sgx", "enclave_limit"),
        )
    ),
    Case(
        _item(name="intel-gpu", replicas=4),
        _item(name="intel-sgx", replicas=4),
        "spec.catalog[0].replicas",
        "are shared as their arguments say",
    ),
    Case(
        _item(name="kvm", replicas=2, morePerContainer=True),
        _item(name="kvm", replicas=1, morePerContainer=True),
        "spec.catalog[0].morePerContainer",
        "add replicas, 2 or more",
    ),
    Case(
        _item(name="kvm", morePerContainer=False),
        _item(name="kvm", morePerContainer=True),
        "spec.catalog[0].morePerContainer",
        "add replicas, 2 or more",
    ),
]

OF_SCANNERS = [
    Case(
        _scanner(**{"class": "a.b:C.D"}),
        _scanner(**{"class": "a.b.C"}),
        "spec.scanner.class",
        "write it as module:Class",
    ),
    Case(
        _scanner(arguments={"_a1": ["x", ""]}),
        _scanner(arguments={"a-1": ["x"]}),
        "spec.scanner.arguments",
        "an argument's name has letters",
    ),
    Case(
        _scanner(configMap="cam.scan-1"),
        _scanner(configMap="cam_scan"),
        "spec.scanner.configMap",
        "the name of an object has lower-case letters",
    ),
]

OF_IMAGES = [
    Case(
        _spec(image="registry.example.com/x@sha256:00"),
        _spec(image="a b"),
        "spec.image",
        "an image's name has no blanks",
    ),
    Case(
        _init(configMap="queues", configMapPath="/conf"),
        _init(configMap="queues"),
        "spec.initContainer",
        "configMap and configMapPath belong together",
    ),
    Case(
        _init(configMap="queues", configMapPath="/a", scratch="/b"),
        _init(configMap="queues", configMapPath="/a", scratch="/a"),
        "spec.initContainer.scratch",
        "scratch and configMapPath are one directory",
    ),
    Case(
        _init(hostPaths=["/a"], scratch="/b"),
        _init(hostPaths=["/a"], scratch="/a"),
        "spec.initContainer.hostPaths",
        "a directory of the node is also scratch",
    ),
    Case(
        _init(hostPaths=["/b"], configMap="queues", configMapPath="/a"),
        _init(hostPaths=["/b", "/a"], configMap="queues", configMapPath="/a"),
        "spec.initContainer.hostPaths",
        "a directory of the node is also scratch",
    ),
    Case(
        _init(env={"A_1": ""}),
        _init(env={"1A": ""}),
        "spec.initContainer.env",
        "a variable's name has letters",
    ),
    Case(
        _init(scratch="/..a/b.."),
        _init(scratch="/a/.."),
        "spec.initContainer.scratch",
        "a path begins with '/'",
    ),
]

OF_NODES = [
    Case(
        _spec(nodeSelector={"example.com/gpu": "true"}),
        _spec(nodeSelector={"example.com/": "true"}),
        "spec.nodeSelector",
        "a label's key has letters",
    ),
    Case(
        _spec(nodeSelector={f"example.com/{'a' * 63}": ""}),
        _spec(nodeSelector={f"example.com/{'a' * 64}": ""}),
        "spec.nodeSelector",
        "a label's key has letters",
    ),
    Case(
        _spec(nodeSelector={"gpu": ""}),
        _spec(nodeSelector={"gpu": "-"}),
        "spec.nodeSelector.gpu",
        "a label's value has letters",
    ),
    Case(
        _taint(operator="Exists"),
        _taint(value="gpu"),
        "spec.tolerations[0].key",
        "a toleration without key is for every taint",
    ),
    Case(
        _taint(key="gpu", value="only"),
        _taint(key="gpu", operator="Exists", value="only"),
        "spec.tolerations[0].value",
        "operator Exists compares no value",
    ),
    Case(
        _taint(key="gpu", effect="NoExecute", tolerationSeconds=5),
        _taint(key="gpu", effect="NoSchedule", tolerationSeconds=5),
        "spec.tolerations[0].tolerationSeconds",
        "write effect: NoExecute",
    ),
    Case(
        _taint(key="a/b"),
        _taint(key="a/b/c"),
        "spec.tolerations[0].key",
        "a label's key has letters",
    ),
    Case(_label("In", "a", "b"), _label("NotIn"), f"{_LABEL}.values", "need values"),
    Case(_label("Exists"), _label("DoesNotExist", "a"), f"{_LABEL}.values", "compare no value"),
    Case(_label("Gt", "8"), _label("Lt", "eight"), f"{_LABEL}.values", "one whole number"),
    Case(_label("Lt", "8"), _label("Gt", "8", "9"), f"{_LABEL}.values", "one whole number"),
    Case(
        _term(matchFields=[{"key": "metadata.name", "operator": "In", "values": ["n"]}]),
        _term(matchFields=[]),
        _TERM,
        "a term without requirements",
    ),
    Case(
        _term(matchFields=[{"key": "metadata.name", "operator": "NotIn", "values": ["n"]}]),
        _term(matchFields=[{"key": "gpu", "operator": "In", "values": ["n"]}]),
        f"{_TERM}.matchFields",
        "matchFields compares metadata.name",
    ),
    Case(
        _term(matchFields=[{"key": "metadata.name", "operator": "In", "values": ["m"]}]),
        _term(matchFields=[{"key": "metadata.name", "operator": "Gt", "values": ["1"]}]),
        f"{_TERM}.matchFields",
        "matchFields compares metadata.name",
    ),
    Case(
        _term(matchFields=[{"key": "metadata.name", "operator": "In", "values": ["o"]}]),
        _term(matchFields=[{"key": "metadata.name", "operator": "In", "values": ["n", "m"]}]),
        f"{_TERM}.matchFields",
        "matchFields compares metadata.name",
    ),
    Case(
        _spec(priorityClassName="a.b"),
        _spec(priorityClassName="A"),
        "spec.priorityClassName",
        "'kubectl get priorityclasses' lists them",
    ),
    Case(
        _spec(resources={"requests": {"cpu": 1, "memory": "1e-9"}, "limits": {"memory": "1E99"}}),
        _spec(resources={"requests": {"cpu": "1m0"}}),
        "spec.resources.requests.cpu",
        "a quantity is a number",
    ),
    *(
        Case(
            _spec(resources={"requests": {"memory": less}, "limits": {"memory": more}}),
            _spec(resources={"requests": {"memory": more}, "limits": {"memory": less}}),
            "spec.resources.requests",
            "a request is more than the limit",
        )
        for less, more in (
            ("64Mi", "1Gi"),
            (1, "1001m"),
            ("1023", "1Ki"),
            ("1k", "1Ki"),
            ("1E", "1Ei"),
            ("0.9", 1),
            ("1e2", "1e3"),
            ("999n", "1u"),
            (".5P", "1e15"),
        )
    ),
    Case(
        _spec(resources={"requests": {"cpu": "1000m"}, "limits": {"cpu": 1, "memory": 0}}),
        _spec(resources={"requests": {"cpu": "1.001"}, "limits": {"cpu": 1}}),
        "spec.resources.requests",
        "a request is more than the limit",
    ),
    Case(
        _spec(resources={"limits": {"a.example/b": ".5Gi"}}),
        _spec(resources={"limits": {"a.example/b/c": 1}}),
        "spec.resources.limits",
        "a resource's name has letters",
    ),
]

OF_ROLLOUTS = [
    Case(
        _update(type="Surge", maxSurge="10%"),
        _update(type="InTurn", maxSurge="10%"),
        "spec.updateStrategy.maxSurge",
        "maxSurge is for the type Surge",
    ),
    Case(
        _update(maxUnavailable=2),
        _update(type="Surge", maxUnavailable=2),
        "spec.updateStrategy.maxUnavailable",
        "maxUnavailable is for the type InTurn",
    ),
    Case(
        _update(maxUnavailable="100%"),
        _update(maxUnavailable="101%"),
        "spec.updateStrategy.maxUnavailable",
        "a number of nodes is a whole number",
    ),
    Case(
        _update(maxUnavailable="5%"),
        _update(maxUnavailable="05%"),
        "spec.updateStrategy.maxUnavailable",
        "a number of nodes is a whole number",
    ),
    Case(
        _update(maxUnavailable=1),
        _update(maxUnavailable=0),
        "spec.updateStrategy.maxUnavailable",
        "no pod could be replaced on 0 nodes",
    ),
    Case(
        _update(type="Surge", maxSurge="1%"),
        _update(type="Surge", maxSurge="0%"),
        "spec.updateStrategy.maxSurge",
        "no pod could be replaced on 0 nodes",
    ),
]

OF_SERVING = [
    Case(
        _spec(monitoring={}, http={}),
        _spec(monitoring={}),
        "spec.http",
        "metrics are read over HTTP, which is off",
    ),
    Case(
        _spec(monitoring={"interval": "1m30s"}, http={}),
        _spec(monitoring={"interval": "30"}, http={}),
        "spec.monitoring.interval",
        "an interval is a time in hours",
    ),
    Case(
        _init(scratch="/a b"),
        _init(scratch="/a\nb"),
        "spec.initContainer.scratch",
        "a path begins with '/'",
    ),
    Case(
        _spec(kubeletDirectory="/var/lib/k0s/kubelet"),
        _spec(kubeletDirectory="var/lib/kubelet"),
        "spec.kubeletDirectory",
        "a path begins with '/'",
    ),
    Case(
        _spec(cdi={"directory": "/etc/cdi"}),
        _spec(cdi={"directory": "/etc"}),
        "spec.cdi.directory",
        "would hide the container's own files",
    ),
    *(
        Case(
            _spec(security={"hostPaths": [good]}),
            _spec(security={"hostPaths": [bad]}),
            "spec.security.hostPaths[0]",
            "would hide the container's own files",
        )
        for good, bad in (
            ("/opt/firmware", "/opt"),
            ("/etc/twistdp-cards", "/etc/twistdp-config"),
            ("/etc/twistdpx", "/etc/twistdp/x"),
            ("/run/modem", "/run/twistdp"),
        )
    ),
    Case(
        _spec(security={"hostPaths": ["/run/modem"]}),
        _spec(security={"hostPaths": ["/run/modem/../x"]}),
        "spec.security.hostPaths[0]",
        "a path begins with '/'",
    ),
    Case(
        _spec(security={"openshift": True}),
        _spec(security={"openshift": True, "seLinuxType": "spc_t"}),
        "spec.security.seLinuxType",
        "openshift sets the SELinux type",
    ),
    Case(
        _spec(security={"seLinuxType": "spc_t"}),
        _spec(security={"seLinuxType": "system_u:spc_t"}),
        "spec.security.seLinuxType",
        "the name of an SELinux type has letters",
    ),
]

CASES = [
    *(*NAMES, *OF_SOURCES, *OF_THE_CATALOGUE, *OF_SCANNERS),
    *(*OF_IMAGES, *OF_NODES, *OF_ROLLOUTS, *OF_SERVING),
]
