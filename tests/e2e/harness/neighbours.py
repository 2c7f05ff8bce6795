"""Who else is at work on this machine, where times are measured."""

import re
import time

from .agent import all_links

BUSY = 0.5  # the share of time in which somebody waited for a processor; our own clients and server cause some of it


def waited_for_cpu():
    """Seconds since boot in which a task waited for a processor; 0 where the kernel does not tell (CONFIG_PSI)."""
    try:
        with open("/proc/pressure/cpu", encoding="utf-8") as file:
            return int(re.search(r"some .*total=(\d+)", file.read())[1]) / 1e6
    except (OSError, TypeError):
        return 0.0


class Neighbours:
    """From its making on."""

    def __init__(self):
        self.began, self.waited, self.links = time.monotonic(), waited_for_cpu(), all_links()

    def disturbed(self):
        """What others did meanwhile, or None. Asked when our agent is gone: no link is ours then. The kernel sets and
        removes probes of all processes one after another."""
        busy = (waited_for_cpu() - self.waited) / (time.monotonic() - self.began)
        if busy > BUSY:
            return f"tasks waited for a processor {busy:.0%} of the time"
        if self.links or all_links():
            return "others have BPF links"
        return None


def best_of_three(case, attempt, what):
    """`attempt` holds in one of three tries; of those before it is said who may have disturbed them. Not all that do can be
    seen: how long the kernel takes to set a probe depends on what its processors did just before."""
    for _ in range(3):
        neighbours = Neighbours()
        if attempt():
            return
        print(f"not in order ({what}): {neighbours.disturbed() or 'nobody was seen to disturb it'}", flush=True)
    case.fail(f"three times: {what}")
