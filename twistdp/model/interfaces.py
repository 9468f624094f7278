"""What a plugin author provides and is given; one interface an ability.

Hooks are found by their methods: declaring an interface is optional.  They are called in the
reactor's thread, also while the scanner's own thread is in ``discover()``, and may return a value
or anything that can be awaited: a Deferred, a coroutine, a Task or Future of asyncio.
"""

from zope.interface import Interface

from twistdp.model.calls import (
    AllocateRequest,
    AllocateResponse,
    PreferredAllocationRequest,
    PreStartContainerRequest,
)
from twistdp.model.devices import DeviceTree


class INotifier(Interface):
    """Takes a scanner's findings; the framework provides it."""

    def notify(tree: DeviceTree) -> None:
        """Make `tree` the current truth.

        May be called as often as wanted and from any thread.  The tree is copied, so it may be
        changed and given again.  Never blocks and never raises: what is wrong with the tree is
        logged, and the last good state stays in force.
        """


class IScanner(Interface):
    """Finds devices with a loop of its own.

    Most plugins derive from `twistdp.WatchingScanner` instead and write one method.
    """

    def scan(notifier: INotifier) -> object:
        """Start to look for devices, and tell `notifier` of every change.

        Called once, in the reactor's thread, when the plugin starts.  May return None, or
        anything that can be awaited: a Deferred, a coroutine, a Task or Future of asyncio.  What
        is still pending is cancelled when the plugin stops, and its clean-up waited for, for 5 s.
        If it raises or fails, the failure is logged and `scan` is called again after a back-off.
        """


class IAllocator(Interface):
    """Optional ability of a scanner: decide itself what containers get."""

    def allocate(request: AllocateRequest) -> object:
        """Answer with an `AllocateResponse`.

        `UseDefaultMethod`, raised or returned, has the devices' own parts put together instead.
        `twistdp.AllocationRefused` refuses the pod with its text; anything else that is raised is
        logged with its stack, and the pod is refused with a line that says so.  The kubelet
        admits one pod after the other, so be quick.
        """


class IPostAllocator(Interface):
    """Optional ability of a scanner: change what the default allocation answers."""

    def post_allocate(response: AllocateResponse) -> object:
        """Change `response` in place, or return another one; just before it is sent.

        Not called when an `IAllocator` has answered.
        """


class IPreferredAllocator(Interface):
    """Optional ability of a scanner: say which devices suit a container best."""

    def get_preferred_allocation(request: PreferredAllocationRequest) -> object:
        """Answer with a list of ids for each container request.

        For a single container request a plain list of ids will do, and `UseDefaultMethod` for
        the policy that was chosen, if any.  What fails is logged, and the policy decides: advice
        refuses no pod.
        """


class IContainerPreStarter(Interface):
    """Optional ability of a scanner: prepare devices before each start of a container."""

    def pre_start_container(request: PreStartContainerRequest) -> object:
        """Reset or check the devices; the container starts when this has succeeded.

        The kubelet waits 30 seconds, and tries again when it fails.
        """
