"""Hosts made of network, UTS and mount namespaces on one bridge: own IP, own hostname, a link that can be cut.

All names carry a tag of the fixture, so that several can live beside each other.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path


class NetworkError(RuntimeError):
    """A namespace, a bridge or a link could not be made."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """The names and addresses of `num_hosts` hosts; the machine itself is the last address of the subnet."""

    tag: str  # four characters: a network interface's name has 15 at most
    subnet: str  # "10.77.0"
    num_hosts: int
    links_down: set[int] = field(default_factory=set)

    @property
    def bridge(self) -> str:
        return f"hn{self.tag}br"

    @property
    def gateway(self) -> str:
        return f"{self.subnet}.254"

    def namespace(self, index: int) -> str:
        """Of host `index`, from 1."""
        return f"hn{self.tag}n{index}"

    def link(self, index: int) -> str:
        """The end of the host's link that is on the bridge."""
        return f"hn{self.tag}v{index}"

    def address(self, index: int) -> str:
        return f"{self.subnet}.{index}"

    def make(self) -> None:
        """Bridge, namespaces and links. Raises NetworkError; what was made until then is to be removed."""
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("addr", "add", f"{self.gateway}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")
        for index in range(1, self.num_hosts + 1):
            name, link = self.namespace(index), self.link(index)
            _ip("netns", "add", name)
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", link, "master", self.bridge, "up")
            _ip("-n", name, "addr", "add", f"{self.address(index)}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")

    def cut(self, index: int) -> None:
        """Nothing goes in or out any more; nobody is told."""
        _ip("link", "set", self.link(index), "down")
        self.links_down.add(index)

    def mend(self, index: int) -> None:
        """Undo `cut`."""
        _ip("link", "set", self.link(index), "up")
        self.links_down.discard(index)

    def host_line(
        self, index: int, *, hostname: str, binds: dict[Path, Path], command: list[str]
    ) -> list[str]:
        """The command as a process of this host, with its hostname; `binds` gives it files of its own, by path."""
        mounts = [f"mount --bind {shlex.quote(str(own))} {shlex.quote(str(at))}" for at, own in binds.items()]
        script = " && ".join([f"hostname {hostname}", *mounts, f"exec {shlex.join(command)}"])
        return [
            "ip",
            "netns",
            "exec",
            self.namespace(index),
            "unshare",
            "--uts",
            "--mount",
            "bash",
            "-c",
            script,
        ]


def free_subnet() -> str:
    """A private /24 that no interface or route of this machine knows."""
    taken = _ip("-o", "-4", "addr") + _ip("-4", "route", "show", "table", "all")
    for number in range(77, 255):
        subnet = f"10.{number}.0"
        if f" 10.{number}." not in f" {taken}":
            return subnet
    raise NetworkError("no free subnet in 10.77.0.0 to 10.254.0.0")


def problem_with_namespaces() -> str:
    """Why no hosts can be made here; empty where they can."""
    try:
        done = subprocess.run(
            ["unshare", "--net", "--uts", "--mount", "true"], capture_output=True, text=True, timeout=10
        )
        if done.returncode == 0:
            _ip("link", "show")
    except (OSError, subprocess.SubprocessError, NetworkError) as error:
        return str(error)
    return done.stderr.strip() if done.returncode else ""


def remove_network(tag: str) -> None:
    """Remove all that carries the tag; what is not there is no error. Their processes are ended before."""
    with contextlib.suppress(NetworkError, OSError):
        for item in json.loads(_ip("-j", "netns", "list") or "[]"):
            if item["name"].startswith(f"hn{tag}n"):
                _ip("netns", "delete", item["name"])
    with contextlib.suppress(NetworkError, OSError):
        for item in json.loads(_ip("-j", "link", "show") or "[]"):
            if item["ifname"].startswith((f"hn{tag}br", f"hn{tag}v")):
                with contextlib.suppress(NetworkError):  # a link goes with its namespace, a little later
                    _ip("link", "delete", item["ifname"])


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=20)
    if done.returncode != 0:
        raise NetworkError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
