#!/usr/bin/env python3
"""One kernel, booted in QEMU's emulator with what prepare.py left: the guest's tests must pass.

    boot.py FOLDER SERIES          exit 0, 1, or 77 (skipped, with the reason)
"""

import json
import os
import re
import subprocess
import sys

SECONDS = 400
# QEMU 7.2 returns wrong flags from cmpxchg16b under a prefix, so the guest is not offered it; its timer may be late
# when the machine is busy, which is no reason to panic; and with a thread for each processor one of them may run into the
# breakpoint of a kernel that patches itself when the kernel has taken it back already.
ACCELERATOR = "tcg,thread=single"
PROCESSOR = "Haswell,-cx16"
KERNEL_WORDS = "console=ttyS0 quiet no_timer_check panic=-1"


def main():
    folder, series = sys.argv[1:]
    with open(os.path.join(folder, "missing.json"), encoding="utf-8") as file:
        missing = json.load(file)
    if reason := missing.get("all") or missing.get(series):
        print(f"SKIPPED kernel {series}: {reason}")
        sys.exit(77)
    command = ["qemu-system-x86_64", "-accel", ACCELERATOR, "-cpu", PROCESSOR, "-smp", "2", "-m", "2048",
               "-nographic", "-no-reboot", "-net", "none", "-kernel", os.path.join(folder, f"{series}.vmlinuz"),
               "-initrd", os.path.join(folder, "initrd.gz"), "-append", KERNEL_WORDS]
    try:
        said = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=SECONDS).stdout
        end = "ended before its tests did"
    except subprocess.TimeoutExpired as expired:
        said = expired.stdout or b""
        end = f"did not end within {SECONDS} s"
    text = re.sub(r"\x1b\S*|\r", "", said.decode(errors="replace"))
    print(text)
    ended = re.search(r"^GUEST (\S+) ended with (\d+)$", text, re.MULTILINE)
    if not ended:
        sys.exit(f"the guest {end}")
    if not ended[1].startswith(series + "."):
        sys.exit(f"this is kernel {ended[1]}, not {series}")
    sys.exit(1 if ended[2] != "0" else 0)


main()
