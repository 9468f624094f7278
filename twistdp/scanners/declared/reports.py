"""Logs what is wrong with the devices of a configuration, once each."""

from twisted.logger import Logger

from twistdp.klog import V
from twistdp.scanners.complaints import Complaints
from twistdp.scanners.declared.explanation import why_absent
from twistdp.scanners.declared.survey import Survey
from twistdp.select import Cause, Host

_log = Logger()


class Reports:
    """Logs what a survey leaves out, and what people should know of the rest."""

    def __init__(self) -> None:
        self._faults = Complaints(lambda text: _log.warn("configured {text}", text=text))
        self._notes = Complaints(lambda text: _log.info("configured resources: {text}", text=text))
        self._absent: set[str] = set()

    def report(self, survey: Survey, host: Host, everything: bool) -> None:
        """Log what is new; after a look at `everything` also what only that finds."""
        for each in survey.left_out:
            about = f"{each.resource} {each.what}"
            if each.cause is Cause.FAULT:
                text = f"{each.resource}: left out {each.what}: {each.reason}"
                self._faults.add(about, text)
            elif each.cause is Cause.UNDECIDABLE and everything:
                # One line for the rule: the others differ in the device alone.  Of a node that has
                # just appeared udev will have made an entry by the next whole look.
                text = f"{each.resource}: cannot decide about {each.what}: {each.reason}"
                self._faults.add(each.resource, text)
        for text in host.left_out:
            self._faults.add(text, f"resources: {text}")
        self._faults.end(everything)
        for text in survey.ledger.moved:
            _log.warn("configured {text}", text=text)
        survey.ledger.moved.clear()
        if not everything:
            return
        for _, text in survey.warnings():
            self._notes.add(text, text)
        self._notes.end(everything)
        for order, rule in enumerate(survey.rules):
            if not survey.is_absent(order):
                self._absent.discard(rule.name)
            elif rule.name not in self._absent:
                self._absent.add(rule.name)
                if V(1):
                    V(1).info("not on this node", resource=rule.name, why=why_absent(rule, host))
