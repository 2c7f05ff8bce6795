"""The base of every end-to-end test: what it needs, where it keeps its files, how it waits, and how it ends."""

import ctypes
import os
import shutil
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "support"))
from live_agent import wait_until  # noqa: E402, F401

AGENT = os.environ.get("E2E_AGENT", "wiretally")
# Where install_clients.py put what the registries gave.
CLIENTS = os.environ.get("E2E_CLIENTS", os.path.join(HERE, "clients"))
SKIPPED = 77  # ctest's SKIP_RETURN_CODE

CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


def missing(*programs):
    """Why tests that need these programs cannot run, or None."""
    if os.geteuid() != 0:
        return "needs root: probes and packet sockets are for the superuser"
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "this kernel has no BTF (/sys/kernel/btf/vmlinux)"
    absent = [program for program in programs if shutil.which(program) is None]
    return f"{', '.join(absent)} not installed" if absent else None


def own_mounts():
    """Mounts made from here on vanish with this process, however it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0:
        raise unittest.SkipTest(f"no mount namespace: {os.strerror(ctypes.get_errno())}")


class Case(unittest.TestCase):
    """One folder a test; it is kept if E2E_KEEP is set."""

    maxDiff = None
    needs = ("openssl",)

    def setUp(self):
        if reason := missing(*self.needs):
            self.skipTest(reason)
        self.folder = tempfile.mkdtemp(prefix="wiretally-e2e-")
        if os.environ.get("E2E_KEEP"):
            print(f"{self.id()}: {self.folder}", flush=True)
        else:
            self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)


class Result(unittest.TextTestResult):
    """Says how long each test took, and why one was skipped."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        print(f"  {time.monotonic() - self.began:6.1f} s  {test.id()}", flush=True)
        super().stopTest(test)

    def addSkip(self, test, reason):
        print(f"SKIPPED {test.id()}: {reason}", flush=True)
        super().addSkip(test, reason)


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=1,
                            testRunner=unittest.TextTestRunner(resultclass=Result, stream=sys.stdout))
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if result.testsRun > 0 and len(result.skipped) >= result.testsRun else 0)
