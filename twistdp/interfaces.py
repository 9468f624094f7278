"""What a plugin author provides and is given; one interface an ability."""

from zope.interface import Interface

from twistdp.devices import DeviceTree


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

        Called once, in the reactor's thread, when the plugin starts.  May return None, a
        Deferred or a coroutine; a result that is still pending is cancelled when the plugin
        stops.  If it raises or fails, the failure is logged and `scan` is called again after a
        back-off.
        """
