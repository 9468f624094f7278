"""The interfaces between a plugin's author and the framework, one for each ability.

The framework finds hooks by their methods: declaring an interface is optional.  It calls them in
the reactor's thread, also while the scanner's own thread is in ``discover()``.  They may return a
value or anything that can be awaited: a Deferred, a coroutine, a Task or Future of asyncio.
"""

from typing import TYPE_CHECKING

from zope.interface import Interface

from twistdp.model.devices import DeviceTree, Holder

if TYPE_CHECKING:
    from twistdp.model.calls import (
        AllocateRequest,
        AllocateResponse,
        PreferredAllocationRequest,
        PreStartContainerRequest,
        ReleasedDevices,
    )


class INotifier(Interface):
    """Takes a scanner's findings; the framework provides it."""

    def notify(tree: DeviceTree) -> None:
        """Make `tree` the current truth.

        Call it as often as you like, from any thread.  The tree is copied, so you may change it
        and pass it again.  Never blocks and never raises: mistakes in the tree are logged, and
        the devices of a wrong value stay as they were.
        """


class IScanner(Interface):
    """Finds devices with a loop of its own.

    Most plugins derive from `twistdp.WatchingScanner` instead and write one method.
    """

    def scan(notifier: INotifier) -> object:
        """Start to look for devices, and notify `notifier` of every change.

        Called once, in the reactor's thread, when the plugin starts.  May return None, or
        anything that can be awaited: a Deferred, a coroutine, a Task or Future of asyncio.  When
        the plugin stops, a pending result is cancelled, and has 5 s for its clean-up.
        If it raises or fails, the failure is logged and `scan` is called again after a back-off.
        """


class IAllocator(Interface):
    """Optional ability of a scanner: decide what containers get."""

    def allocate(request: "AllocateRequest") -> object:
        """Answer with an `AllocateResponse`.

        Raise or return `UseDefaultMethod` to give the devices' own parts instead.
        `twistdp.AllocationRefused` refuses the pod with its text.  Any other exception is logged
        with its stack, and refuses the pod with a line that names the hook.  The kubelet
        admits one pod after the other, so be quick.
        """


class IPostAllocator(Interface):
    """Optional ability of a scanner: change the answer of the default allocation."""

    def post_allocate(response: "AllocateResponse") -> object:
        """Change `response` in place or return another one, just before it is sent.

        Not called when an `IAllocator` has answered.
        """


class IPreferredAllocator(Interface):
    """Optional ability of a scanner: choose the devices that suit a container best."""

    def get_preferred_allocation(request: "PreferredAllocationRequest") -> object:
        """Answer with a list of ids for each container request.

        For a single container request a plain list of ids is enough.  `UseDefaultMethod` leaves
        the choice to the configured policy, and so does an exception, which is logged: advice
        refuses no pod.
        """


class IContainerPreStarter(Interface):
    """Optional ability of a scanner: prepare devices before each start of a container."""

    def pre_start_container(request: "PreStartContainerRequest") -> object:
        """Reset or check the devices; the container starts after this has succeeded.

        The kubelet waits 30 seconds, and tries again when it fails.
        """


class IReleaseObserver(Interface):
    """Optional ability of a scanner: clean up after a container that had devices."""

    def post_release(devices: "ReleasedDevices", pod: Holder | None) -> object:
        """A container has given devices back; `pod` is the container with its pod.

        Called once each time, for the devices of one container, also for those given back while
        the plugin or the kubelet was down, and for devices that are gone by now.  If the plugin
        ends while a call runs, there is another one after its start.  A failure is logged and
        changes nothing: devices are given to the next container when the kubelet decides so,
        perhaps before this is called.

        The kubelet reports no release, so it is asked, and what it does not answer releases
        nothing; see ``docs/hooks.md`` for when a device counts as given back.  `pod` is None for
        one that Allocate gave and that the kubelet has listed for no container, such as an
        ordinary init container's.
        """
