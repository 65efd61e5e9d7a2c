"""``deploy/demo``: the village, shown live on a terminal or measured and printed as one JSON object."""

import argparse
import json
import re
import sys
import threading
import time
from pathlib import Path

from node.console import NoRunningNode
from node.enforcement.kernel import LinuxKernel
from tests.lab.line_story import LineStory
from tests.lab.netns import entered_namespace, missing_for_namespaces, terminate_as_interrupt
from tests.lab.node_line import node_line
from tests.lab.people import WishFailed
from tests.lab.picture import as_svg
from tests.lab.screen import Lines, Screen
from tests.lab.story import StoryTiming, VillageStory, run_measured
from tests.lab.village import Village, village
from tests.lab.window import View, Window

MEASURED_SECONDS = 30.0
LINGER_S = 3.0
PICTURE_S = 6.0
TWO, NODES_MAX = 2, 5
"""Nodes of the village, and of the longest line."""


def main(argv: list[str] | None = None) -> int:
    asked = _parser().parse_args(argv)
    terminate_as_interrupt()
    reason = missing_for_namespaces() or missing_in_kernel()
    if reason is not None:
        from tests.lab.imagined import run_imagined

        return run_imagined(reason, seconds=asked.seconds, as_json=asked.json)
    try:
        if asked.nodes != TWO:
            return watch_line(asked.nodes, as_json=asked.json)
        if asked.json:
            return measure(asked.seconds or MEASURED_SECONDS)
        return watch(asked.seconds, asked.picture)
    except KeyboardInterrupt:
        print("the village is gone; nothing was left behind", file=sys.stderr)
        return 130 if asked.json else 0


def missing_in_kernel() -> str | None:
    """A kernel feature that the node requires and this kernel lacks; None if it has all of them."""
    with entered_namespace():
        kernel = LinuxKernel()
        try:
            features = kernel.probe()
        finally:
            kernel.close()
    if features.nftables and features.htb:
        return None
    return "; ".join(features.reasons) or "this kernel has no nftables or no HTB"


def measure(seconds: float) -> int:
    """Runs unattended: progress on stderr, the figures as one JSON object on the last line of stdout."""
    lines = Lines(sys.stderr)
    with village("demo") as made:
        story = VillageStory(made, lines.say)
        story.open()
        figures = run_measured(story, seconds)
    for sentence in figures.unmet():
        lines.say(f"not met: {sentence}")
    print(json.dumps(figures.document()), flush=True)
    return 0 if figures.document()["ok"] else 1


def watch(seconds: float | None, picture: Path | None) -> int:
    """Runs until Ctrl-C, or for `seconds`; `picture` saves the view as an SVG file at the end."""
    view = Screen() if sys.stdout.isatty() or picture is not None else Lines(sys.stdout)
    if picture is not None:
        view = Screen(Path("/dev/null").open("w"))  # noqa: SIM115 - closed with the process
    ends = time.monotonic() + seconds if seconds else None
    with village("demo") as made, view:
        view.show_village(made)
        story = VillageStory(made, view.say)
        story.open()
        browser = made.settle("browser", made.square, 26)
        browser.join()
        with Window(views(made)) as window:
            urls = dict(window.urls)
            urls["admin page"] = admin_url(made, urls["admin page"])
            view.show_windows(urls)
            for scene in (story.capture, story.admit, story.meet, story.settle_hills):
                scene()
                linger(ends)
            if picture is not None and isinstance(view, Screen):
                take_picture(story, view, picture)
            live_on(story, ends)
    return 0


def watch_line(nodes: int, *, as_json: bool) -> int:
    """The story of a line of nodes, once."""
    lines = Lines(sys.stderr if as_json else sys.stdout)
    with node_line(nodes, "demo") as line:
        figures = LineStory(line, lines.say).run()
    for sentence in figures.unmet:
        lines.say(f"not met: {sentence}")
    if as_json:
        print(json.dumps(figures.document()), flush=True)
    return 1 if figures.unmet else 0


def take_picture(story: VillageStory, view: Screen, file: Path) -> None:
    """The view while every device sends and receives at full rate."""
    camera = threading.Timer(PICTURE_S, lambda: file.write_text(as_svg(_without_secrets(view.frame()))))
    camera.start()
    story.greedy(StoryTiming())
    camera.join()


def _without_secrets(lines: list[str]) -> list[str]:
    return [re.sub(r"token=\S+", "token=…", line) for line in lines]


def linger(ends: float | None) -> None:
    """Long enough to see which devices are captive and which are online."""
    left = ends - time.monotonic() if ends is not None else LINGER_S
    time.sleep(max(0.0, min(LINGER_S, left / 10)))


def live_on(story: VillageStory, ends: float | None) -> None:
    """Traffic comes and goes until the end, and now and then a daemon is killed."""
    turn = 0
    while ends is None or time.monotonic() < ends:
        left = ends - time.monotonic() if ends is not None else 60.0
        turn += 1
        try:
            if turn % 3 == 1:
                story.greedy(StoryTiming(greedy_s=max(4.0, min(20.0, left))))
            elif turn % 3 == 2:
                story.ceiling(StoryTiming(ceiling_s=max(3.0, min(8.0, left))))
            else:
                story.kill9(StoryTiming(kill_s=6.0))
        except (WishFailed, NoRunningNode, RuntimeError, ValueError) as error:
            story.say(f"that did not work: {error}")
            time.sleep(1)


def views(made: Village) -> dict[str, View]:
    """The portal as another device on the square sees it, and the square's admin page."""
    site = made.square.site
    portal_host = "login.procomu.lan"
    return {
        "portal": View(
            made.people["browser"].place, site.lan_v4, 80, portal_host, (f"http://{site.lan_v4}",)
        ),
        "admin page": View(made.square.place, "127.0.0.1", 2081, "127.0.0.1:2081"),
    }


def admin_url(made: Village, base: str) -> str:
    """The window's address with the path of a new one-time link."""
    link = str(made.square.ask("admin-link")["url"])
    return base.rstrip("/") + "/" + link.split("://", 1)[-1].partition("/")[2]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deploy/demo", description="A village shares its line by its own rules."
    )
    parser.add_argument("--seconds", type=float, help="end after so long (measured: at least 30)")
    parser.add_argument("--json", action="store_true", help="unattended; one JSON object of measured figures")
    parser.add_argument(
        "--nodes",
        type=int,
        default=TWO,
        choices=range(TWO, NODES_MAX + 1),
        help="three or more: nodes in a line, one community record, and a node that is removed; ends by itself",
    )
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="keep the view as a picture")
    return parser


if __name__ == "__main__":
    threading.current_thread().name = "demo"
    sys.exit(main())
