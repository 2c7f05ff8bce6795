#!/usr/bin/env python3
"""What the kernel tests boot: Debian's kernels, and one initial RAM disk with the agent, the end-to-end tests and what
they run on.

    prepare.py FOLDER WIRETALLY

Leaves FOLDER/<series>.vmlinuz and FOLDER/initrd.gz. What cannot be had is written down, one reason a line, in
FOLDER/missing.json ({series or "all": reason}); boot.py skips with it.
"""

import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ARCHIVE = "http://deb.debian.org/debian"
# The oldest and the newest that Debian 12 machines run, and Debian 11's: without cookies, without uprobe_multi, with both.
SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "bookworm-backports"}
PROGRAMS = ("openssl", "curl", "bpftool", "dash")
PYTHON = "/usr/bin/python3"
UNNEEDED = ("test", "ensurepip", "idlelib", "lib2to3", "tkinter", "__pycache__", "config-")


class Apt:
    """Debian's archive seen through lists of our own: the machine's stay as they are."""

    def __init__(self, folder):
        self.folder = folder
        lists = os.path.join(folder, "lists")
        os.makedirs(os.path.join(lists, "partial"), exist_ok=True)
        sources = os.path.join(folder, "sources.list")
        with open(sources, "w", encoding="utf-8") as file:
            for suite in SUITES.values():
                file.write(f"deb [signed-by={KEYRING}] {ARCHIVE} {suite} main\n")
        self.options = [word for option in (f"Dir::Etc::sourcelist={sources}", "Dir::Etc::sourceparts=/dev/null",
                                            f"Dir::State::lists={lists}", "Dir::Cache::pkgcache=",
                                            "Dir::Cache::srcpkgcache=", "APT::Sandbox::User=root")
                        for word in ("-o", option)]

    def run(self, program, *arguments):
        return subprocess.run([program, *self.options, *arguments], cwd=self.folder, check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout

    def newest_kernel(self, series):
        listed = self.run("apt-cache", "search", "--names-only", rf"^linux-image-{re.escape(series)}\.")
        packages = re.findall(rf"^(linux-image-{re.escape(series)}\.\S*-cloud-amd64) ", listed, re.MULTILINE)
        if not packages:
            raise LookupError(f"Debian's archive lists no cloud kernel {series}")
        return max(packages, key=lambda package: [int(number) for number in re.findall(r"\d+", package)])


def fetch_kernel(apt, series, to):
    package = apt.newest_kernel(series)
    apt.run("apt-get", "download", package)
    archive = next(name for name in os.listdir(apt.folder) if name.startswith(package + "_"))
    unpacked = os.path.join(apt.folder, package)
    subprocess.run(["dpkg-deb", "-x", os.path.join(apt.folder, archive), unpacked], check=True)
    boot = os.path.join(unpacked, "boot")
    shutil.copy(os.path.join(boot, next(name for name in os.listdir(boot) if name.startswith("vmlinuz"))), to)
    shutil.rmtree(unpacked)
    os.remove(os.path.join(apt.folder, archive))


def fetch_kernels(folder):
    missing = {}
    wanted = {series: os.path.join(folder, f"{series}.vmlinuz") for series in SUITES}
    if all(map(os.path.exists, wanted.values())):
        return missing
    apt = Apt(folder)
    try:
        apt.run("apt-get", "update")
        for series, kernel in wanted.items():
            fetch_kernel(apt, series, kernel)
    except (subprocess.CalledProcessError, LookupError, FileNotFoundError) as error:
        said = getattr(error, "stderr", None) or str(error)
        missing = {series: "no kernel from Debian's archive: " + said.strip().splitlines()[-1]
                   for series, kernel in wanted.items() if not os.path.exists(kernel)}
    return missing


class Image:
    """A root file system: programs with the libraries they load."""

    def __init__(self, root):
        shutil.rmtree(root, ignore_errors=True)
        self.root = root
        for name in ("bin", "sbin", "lib", "lib64"):  # as on Debian
            os.makedirs(f"{root}/usr/{name}")
            os.symlink(f"usr/{name}", f"{root}/{name}")
        for name in ("proc", "sys", "dev", "tmp", "run", "root", "etc/ssl"):
            os.makedirs(f"{root}/{name}")

    def file(self, source, to=None):
        target = self.root + (to or source)
        if not os.path.exists(target):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(os.path.realpath(source), target)

    def program(self, source, to=None):
        self.file(source, to)
        listed = subprocess.run(["ldd", source], stdout=subprocess.PIPE, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            self.file(library)

    def python(self):
        library = subprocess.run([PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout.strip()
        self.program(PYTHON)
        for folder, folders, files in os.walk(library):
            folders[:] = [name for name in folders if not name.startswith(UNNEEDED)]
            for name in files:
                path = os.path.join(folder, name)
                (self.program if name.endswith(".so") else self.file)(path)

    def pack(self, to):
        with open(to, "wb") as file:
            names = subprocess.Popen(["find", ".", "-print0"], cwd=self.root, stdout=subprocess.PIPE)
            archive = subprocess.Popen(["cpio", "--create", "--null", "--format=newc", "--quiet", "--owner=0:0"],
                                       cwd=self.root, stdin=names.stdout, stdout=subprocess.PIPE)
            subprocess.run(["gzip", "-1"], stdin=archive.stdout, stdout=file, check=True)
            if names.wait() != 0 or archive.wait() != 0:
                raise RuntimeError("the initial RAM disk cannot be packed")


def make_image(folder, agent):
    image = Image(os.path.join(folder, "root"))
    image.program(agent, "/usr/bin/wiretally")
    for name in PROGRAMS:
        image.program(shutil.which(name), f"/usr/bin/{name}")
    os.symlink("dash", f"{image.root}/usr/bin/sh")
    image.python()
    for path in ("/etc/passwd", "/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/openssl.cnf",
                 "/usr/lib/ssl/openssl.cnf"):
        if os.path.exists(path):
            image.file(path)
    for name in ("e2e", "support"):
        shutil.copytree(os.path.join(HERE, "..", name), f"{image.root}/tests/{name}",
                        ignore=shutil.ignore_patterns("__pycache__", "*.h", "*.cpp"))
    image.file(os.path.join(HERE, "guest_init.py"), "/init")
    os.chmod(f"{image.root}/init", 0o755)
    image.pack(os.path.join(folder, "initrd.gz"))
    shutil.rmtree(image.root)


def main():
    folder, agent = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    absent = [name for name in ("qemu-system-x86_64", "cpio", "apt-get", "dpkg-deb", *PROGRAMS) if not shutil.which(name)]
    missing = {"all": f"{', '.join(absent)} not installed"} if absent else fetch_kernels(folder)
    if "all" not in missing:
        make_image(folder, agent)
    with open(os.path.join(folder, "missing.json"), "w", encoding="utf-8") as file:
        json.dump(missing, file)


main()
