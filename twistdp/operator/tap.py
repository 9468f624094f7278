"""``twistd deviceplugin-operator``: options and composition.

It imports neither kopf nor aiohttp before the options are parsed, and says what to install if
they are missing.
"""

import os
import re
import sys

from twisted.application.service import IService
from twisted.internet import asyncioreactor
from twisted.python import usage

if "twisted.internet.reactor" not in sys.modules:
    asyncioreactor.install()

from twistdp.errors import BadSetting
from twistdp.launch import CommandOptions, Ending
from twistdp.logs import LoggedService, LogOptions
from twistdp.operator.credentials import Cluster, from_kubeconfig, in_cluster
from twistdp.operator.settings import OperatorSettings
from twistdp.rpc import require_asyncio_reactor
from twistdp.web import HttpOptions, process

IMAGE = "RELATED_IMAGE_DEVICEPLUGIN"
"""The variable that has the image of plugins, as OLM has it."""

_NAMESPACE = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

EXTRA = (
    "kopf and aiohttp, the extra twistdp[operator], are missing; install them in a checkout of "
    "twistdp with: pip install --constraint constraints.txt kopf aiohttp"
)


class Options(CommandOptions, LogOptions, HttpOptions):
    """The command line; see `CommandOptions`."""

    command = "deviceplugin-operator"
    synopsis = "[options]"
    longdesc = "Run the device plugins that DevicePlugin objects of a Kubernetes cluster ask for."
    optParameters = [  # noqa: RUF012  # Twisted's way
        [
            "namespace",
            None,
            None,
            "Where everything is that the operator makes; default: that of its pod, or of the "
            "kubeconfig's context.",
        ],
        [
            "plugin-image",
            None,
            None,
            f"Image of plugins whose object names none; default: the variable {IMAGE}.",
        ],
        ["kubeconfig", None, None, "File that says how to reach the cluster; default: as a pod."],
        ["context", None, None, "Context of the kubeconfig; default: its current one."],
        [
            "status-interval",
            None,
            "5",
            "Seconds between two changes of an object's status, at least.",
        ],
        ["webhook", None, None, "TCP port where the API server asks whether an object is good."],
        ["webhook-certs", None, None, "Directory with the webhook's tls.crt and tls.key."],
    ]
    optFlags = [  # noqa: RUF012
        ["leader-election", None, "Work only while no other operator of the namespace does."],
    ]

    def postOptions(self) -> None:
        """Check everything; starts and touches nothing."""
        from twisted.internet import reactor

        super().postOptions()
        require_asyncio_reactor(reactor)
        try:
            import aiohttp  # noqa: F401
            import kopf  # noqa: F401
        except ImportError as error:
            raise usage.UsageError(EXTRA) from error
        self.cluster = self._cluster()
        self.settings = self._settings()
        self.webhook = self._webhook()

    def _cluster(self) -> Cluster:
        if self["kubeconfig"]:
            return from_kubeconfig(self["kubeconfig"], self["context"] or "")
        if self["context"]:
            raise usage.UsageError("--context without --kubeconfig; name the file as well")
        return in_cluster(os.environ)

    def _settings(self) -> OperatorSettings:
        namespace = self["namespace"] or self.cluster.namespace
        if not namespace:
            raise usage.UsageError("--namespace is missing, and the kubeconfig's context has none")
        if not _NAMESPACE.fullmatch(namespace):
            raise BadSetting(f"--namespace {namespace}: no namespace can have this name")
        image = self["plugin-image"] or os.environ.get(IMAGE, "")
        if not image:
            raise usage.UsageError(f"--plugin-image is missing; give it, or set {IMAGE}")
        try:
            interval = float(self["status-interval"])
        except ValueError:
            raise BadSetting(
                f"--status-interval {self['status-interval']}: give a number of seconds"
            ) from None
        return OperatorSettings(namespace=namespace, plugin_image=image, status_interval=interval)

    def _webhook(self) -> tuple[int, str] | None:
        """The port and the directory; None without a webhook."""
        port, directory = self["webhook"] or "", self["webhook-certs"] or ""
        if not port and not directory:
            return None
        if not port or not directory:
            given = "--webhook" if port else "--webhook-certs"
            other = "--webhook-certs=DIR" if port else "--webhook=PORT"
            raise usage.UsageError(f"{given} needs {other}")
        if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
            raise usage.UsageError(f"--webhook {port}: give a port from 1 to 65535")
        return int(port), directory


def makeService(options: Options) -> IService:
    """Return the service that `options` describe; nothing starts before the service does."""
    from twisted.internet import reactor

    from twistdp.operator.service import Operator
    from twistdp.operator.tallies import families

    service = LoggedService(options, reactor)
    Ending(reactor, clean=True).setServiceParent(service)
    operator: Operator = Operator(
        options.cluster, options.settings, reactor, elects=bool(options["leader-election"])
    )
    operator.setServiceParent(service)
    if options.webhook is not None:
        from twistdp.operator.webhook import Webhook

        Webhook(*options.webhook, reactor).setServiceParent(service)
    web = process.web_service(options, operator.checks, families(operator), reactor)
    if web is not None:
        web.setServiceParent(service)
    return service
