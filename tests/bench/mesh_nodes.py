"""Real nodes of a mesh, in network namespaces: how long a new node takes to be in, a removed one to be out, usage to have
its effect five nodes away, rules that an admin shares to be in force there, and a device to be let in where it walks to. No
node is started again meanwhile.
"""

import itertools
import secrets
import time

from mesh.file_version import text_hash
from tests.bench.figures import Figures, say
from tests.lab.agreement import ALLOWANCE_BYTES, MACS, RULES
from tests.lab.node_line import are_together, is_limited, node_line, seconds_until, state
from tests.lab.village import Router, Village, village
from tests.lab.walk import SERVER, Walk, walk

KEYS = ("join_s", "removed_out_s", "line5_effect_s", "line5_rule_s", "roam_s")
LINE = 5
TRIES = 3


def measure() -> Figures:
    with village("mesh") as place:
        first = joins(place)
        rest = [comes_and_goes(place) for _ in range(TRIES)]
    say(f"in after {first:.2f} s, out after {[round(each, 2) for each in rest]} s")
    with node_line(LINE) as line:
        effect = effect_s(line)
        rules = [rule_s(line, number) for number in range(TRIES)]
    say(f"five nodes away after {effect:.2f} s, rules after {[round(each, 2) for each in rules]} s")
    with walk("roam") as path:
        roams = walks_s(path)
    say(f"a device that walks to the next node passes after {[round(each, 3) for each in roams]} s")
    return {
        "join_s": round(first, 2),
        "removed_out_s": round(max(rest), 2),
        "line5_effect_s": round(effect, 2),
        "roam_s": round(max(roams), 3),
        "line5_rule_s": round(max(rules), 2),
    }


def joins(place: Village) -> float:
    """From the invite's text on a new node until both nodes trust each other, the new node's first start included."""
    square, hills = place.square, place.hills
    square.furnish([square.node_id], square.settings.community_key_file)
    own = hills.folder / "own-community.key"
    own.write_text(secrets.token_hex(32))
    hills.furnish([], own)
    square.start()
    square.told("community", "create")
    invite = square.told("community", "invite")["invite"]
    began = time.monotonic()
    hills.told("community", "join", invite)
    hills.start()
    return seconds_until("a new node is in", lambda: are_together(square, hills), began)


def comes_and_goes(place: Village) -> float:
    """From the command that removes a node until neither of the two trusts the other; then it is taken back."""
    square, hills = place.square, place.hills
    began = time.monotonic()
    square.told("community", "remove", hills.node_id)
    took = seconds_until(
        "a removed node is out",
        lambda: "trusted" not in {state(square, hills.node_id), state(hills, square.node_id)},
        began,
    )
    square.told("community", "remove", hills.node_id, "--back")
    seconds_until("a node is taken back", lambda: are_together(square, hills), time.monotonic())
    return took


def effect_s(line: Village) -> float:
    """An allowance is used up at one end: from the rule that holds there until it holds at the other end."""
    routers = list(line.routers.values())
    for router in routers:
        router.start()
    began = time.monotonic()
    for left, right in itertools.pairwise(routers):
        seconds_until("neighbours trust each other", lambda a=left, b=right: are_together(a, b), began)  # type: ignore[misc]
    near = line.settle("bea", routers[0], 24, MACS["bea"])
    far = line.settle("bea-hills", routers[-1], 25, MACS["bea-hills"])
    for person in (near, far):
        person.join()
        person.do("accept")
    download = near.wish("download", seconds=15, bytes=ALLOWANCE_BYTES + 400_000)
    seconds_until("an allowance is used up", lambda: is_limited(routers[0]), time.monotonic())
    took = seconds_until("it is at the other end", lambda: is_limited(routers[-1]), time.monotonic())
    download.result()
    return took


def walks_s(path: Walk) -> list[float]:
    """A guest of one node walks to the other with a download open: from the first packet there until it is answered.
    Another guest each time."""
    for router in (path.here, path.there):
        router.start()
    seconds_until("both trust each other", lambda: are_together(path.here, path.there), time.monotonic())
    return [walk_s(path, number) for number in range(30, 30 + TRIES)]


def walk_s(path: Walk, number: int) -> float:
    person = path.settle(f"walker{number}", number)
    try:
        path.join(person)
        download = person.wish("download", far=SERVER, seconds=6)
        time.sleep(1)
        path.go(person, path.there)
        took_ms = person.do("reach", far=SERVER)["ms"]
        result = download.result()
    finally:
        person.agent.close()
    if took_ms is None or result["failed"] or result["samples"][-1][1] <= result["samples"][-5][1]:
        raise RuntimeError(f"the download ended: {took_ms} ms, {result['bytes']} bytes")
    return float(took_ms) / 1000


def rule_s(line: Village, number: int) -> float:
    """An admin shares changed rules at one end: from the command until they are in force at the other end, from whose file
    they are read as those of the community."""
    routers = list(line.routers.values())
    near, far = routers[0], routers[-1]
    if number == 0:
        follow_one_record(routers)
    draft = near.folder / "draft.toml"
    draft.write_text(f"{RULES}\n# Draft {number}\n")
    near.told("rules", "adopt", str(draft), "--no-trial")
    began = time.monotonic()
    near.told("community", "share", "rules")
    return seconds_until("the rules are at the other end", lambda: has_rules(far, draft.read_text()), began)


def follow_one_record(routers: list[Router]) -> None:
    """The first node makes the community record and shares its rules; the others follow, one after the other."""
    near, *others = routers
    community = near.told("community", "create")["community"]
    for router in others:
        began = time.monotonic()
        seconds_until(
            "the record is offered",
            lambda r=router: community in r.ask("community")["offered"],
            began,  # type: ignore[misc]
        )
        router.told("community", "follow", community)
    near.told("community", "share", "rules")
    seconds_until(
        "the rules are shared", lambda: has_rules(others[-1], near.rules.read_text()), time.monotonic()
    )


def has_rules(router: Router, text: str) -> bool:
    """Whether they are in force there, and in its file."""
    found = router.ask("community-versions")["rules"]
    return found["state"] == "same" and found["hash"] == text_hash(text) == text_hash(
        router.rules.read_text()
    )
