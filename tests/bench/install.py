"""What the Debian package asks of somebody who installs it, on a bare Debian 13 in a container: time, answers, commands, and
what is left after a purge."""

import re
import shutil
import time
from pathlib import Path

from tests.bench.figures import Figures, say, taken
from tests.bench.single_router import SingleRouter, single_router
from tests.browser.chromium import Browser
from tests.browser.driver import missing_for_browser, opened
from tests.docs.named_commands import PROGRAMS, executables, named
from tests.lab import eventually, setup_mode
from tests.lab.debian import MISSING, Debian, built_package, dependencies
from tests.lab.people import Person, WishFailed, settle

KEYS = (
    "package_install_s",
    "first_client_s",
    "answers",
    "shell_commands_after_install",
    "boot_to_captured_s",
    "unknown_commands_in_messages",
    "security_exposure",
    "left_after_purge",
)
CODE = Path("/etc/procomu/setup-code")
COMMANDS = (
    ("procomu", "init", "--name", "library", "--lan", "br-lan", "--uplink", "wan0"),
    ("systemctl", "start", "procomu"),
)
"""In a shell, where the package does not begin with the set-up in a browser."""
COMMANDS_ANSWERS = 3
PORTAL = "http://10.77.0.1/"
INSTALL_S_MAX, SETUP_S_MAX, PAGE_S_MAX, AGAIN_S = 300, 5.0, 60.0, 0.05


def measure() -> Figures:
    if MISSING:
        raise RuntimeError(f"{', '.join(MISSING)} missing (deploy/setup package)")
    if (reason := missing_for_browser()) is not None:
        raise RuntimeError(reason)
    with single_router() as place:
        debian, full = (Debian(place.lab.folder / name) for name in ("debian", "full"))
        try:
            found = _measure(place, debian)
            debian.close()
            return found | taken(("left_after_purge",), lambda: _purged(place, full))
        finally:
            debian.close()
            full.close()


def _measure(place: SingleRouter, debian: Debian) -> Figures:
    package = built_package(place.lab.folder)
    say("making a bare Debian, and downloading what the package needs")
    debian.make()
    shutil.copy(package, debian.root / "root")
    downloaded = debian.download(f"/root/{package.name}")
    router = place.router.place
    router.ip("address flush dev br-lan scope global")
    phone = settle(place.lab, router, "phone", 21)
    try:
        debian.boot(router.path)
        debian.wait_booted()
        say(f"installing; {downloaded / 1e6:.0f} MB were downloaded before, and their time does not count")
        with opened(place.lab.folder / "phone", place=phone.place, resolver="10.77.0.1") as browser:
            found = _installed(debian, package, phone, browser)
        found |= _looked_at(debian)
        debian.stop()
        say(f"{found}")
        return found | _booted(place, debian, phone)
    finally:
        phone.agent.close()


def _installed(debian: Debian, package: Path, phone: Person, browser: Browser) -> Figures:
    began = time.monotonic()
    debian.does("apt-get", "install", "--yes", f"/root/{package.name}", seconds=INSTALL_S_MAX)
    installed = time.monotonic() - began
    commands: tuple[tuple[str, ...], ...] = ()
    if eventually(lambda: debian.says("cat", str(CODE)), SETUP_S_MAX):
        answers = _answered(debian, phone, browser)
    else:
        commands, answers = COMMANDS, COMMANDS_ANSWERS
        say("the package does not begin with the set-up in a browser: commands of a shell are measured")
        for command in commands:
            debian.does(*command)
    _wait_for_page(phone)
    return {
        "package_install_s": round(installed, 1),
        "first_client_s": round(time.monotonic() - began, 1),
        "answers": answers,
        "shell_commands_after_install": len(commands),
    }


def _answered(debian: Debian, phone: Person, browser: Browser) -> int:
    """How many answers the set-up's pages needed, given by a browser."""
    phone.finish_dhcp(phone.begin_dhcp(), PAGE_S_MAX)
    browser.open(PORTAL)
    browser.type("#code", debian.says("cat", str(CODE)))
    browser.tap("form[action='/claim'] button")
    for field, text in setup_mode.TYPED.items():
        browser.type(f"#{field}", text)
    browser.tap("form[action='/answers'] button.wide")
    browser.tap("form[action='/begin'] button")
    return 1 + len(setup_mode.TYPED)  # the code, too


def _wait_for_page(phone: Person) -> None:
    """Until the phone has an address, its probe is answered by the portal, and it has the page that this leads to. Raises
    WishFailed."""
    ends = time.monotonic() + PAGE_S_MAX
    while True:
        try:
            if not phone.lease:
                phone.finish_dhcp(phone.begin_dhcp())
            answer = phone.do("knock")
            if answer["captured"] and phone.do("knock", url=answer["location"])["status"] == 200:
                return
        except WishFailed:
            pass  # nothing answers yet
        if time.monotonic() > ends:
            raise WishFailed(f"no page within {PAGE_S_MAX:.0f} s")
        time.sleep(AGAIN_S)


def _looked_at(debian: Debian) -> Figures:
    shown = debian.does("systemd-analyze", "security", "procomu.service", "--no-pager")
    (exposure,) = re.findall(r"Overall exposure level for procomu.service: ([\d.]+)", shown)
    programs = sorted(named(executables()).keys() & PROGRAMS.keys())
    unknown = [name for name in programs if debian.run("sh", "-c", f"command -v {name}").returncode]
    say(f"{len(programs)} programs are named in messages and documents; not there: {unknown or 'none'}")
    return {"security_exposure": float(exposure), "unknown_commands_in_messages": len(unknown)}


def _forget(place: SingleRouter) -> None:
    """Makes a kernel that knows nothing of the node, as after a power cut."""
    router = place.router.place
    router.run("nft", "flush", "ruleset")
    for name in ("br-lan", "wan0"):
        router.run("tc", "qdisc", "del", "dev", name, "root", check=False)
        router.run("tc", "qdisc", "del", "dev", name, "ingress", check=False)
    router.ip("address flush dev br-lan scope global")
    router.sysctl(net__ipv4__ip_forward=0, net__ipv6__conf__all__forwarding=0)


def _booted(place: SingleRouter, debian: Debian, phone: Person) -> Figures:
    """From the start of the container."""
    router = place.router.place
    _forget(place)
    began = time.monotonic()
    debian.boot(router.path)
    _wait_for_page(phone)
    took = time.monotonic() - began
    debian.wait_booted()
    return {"boot_to_captured_s": round(took, 2)}


def _purged(place: SingleRouter, debian: Debian) -> Figures:
    """Files, processes and interfaces that are left on a Debian that had all other packages before."""
    (package,) = place.lab.folder.glob("*.deb")
    debian.make(*dependencies(package, "Depends"), *dependencies(package, "Recommends"))
    _forget(place)
    debian.boot(place.router.place.path)
    debian.wait_booted()
    files, interfaces = debian.files(), _interfaces(debian)
    shutil.copy(package, debian.root / "root")
    debian.does("apt-get", "install", "--yes", f"/root/{package.name}", seconds=INSTALL_S_MAX)
    for command in COMMANDS:
        debian.does(*command)
    debian.does("apt-get", "purge", "--yes", "procomu")
    (debian.root / "root" / package.name).unlink()
    left = [*sorted(debian.files() - files), *debian.processes().values()]
    left += sorted(_interfaces(debian) - interfaces)
    say(f"left after the purge: {left[:20] or 'nothing'}")
    return {"left_after_purge": len(left)}


def _interfaces(debian: Debian) -> set[str]:
    return {line.split(":")[1] for line in debian.says("ip", "-o", "link").splitlines()}
