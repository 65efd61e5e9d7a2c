"""The set-up as its pages use it: who holds it, what was answered, and how far the change of the network is.

A change goes through these phases. Only the last one cannot be left::

    asking -> planned -> changing -> trying -> confirmed -> done
                 ^          |           |
                 +----------+-----------+   did not work, or nobody confirmed in time: all is as before

`confirmed` stays until all files are written, so that a full disk can be cleared and the rest be tried again.
"""

import asyncio
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from node.admin.fields import FormView
from node.errors import NodeError
from node.setup.answers import (
    Answers,
    Choices,
    as_typed,
    choices_of,
    proposals,
    read_answers,
    with_download,
)
from node.setup.line_meter import LineMeter
from node.setup.network_layout import NetworkFacts
from node.setup.network_plan import NetworkPlan, network_plan
from node.setup.setup_code import CodeAttempt, CodeCheck
from node.translator import gettext_lazy
from node.units import Monotonic

log = logging.getLogger(__name__)

Phase = Literal["asking", "planned", "changing", "trying", "confirmed", "done"]
TRIAL_MS = 180_000
"""Without a confirmation from the new network within this time, the change is taken back."""
ANSWERED_S = 1.5
"""The change waits for the response to be read, which says what will happen to the connection."""
TOKEN_BYTES = 16


class NetworkChange(Protocol):
    """The machine's network. All methods block, and raise NodeError."""

    def look(self) -> NetworkFacts: ...

    def apply(self, plan: NetworkPlan) -> None:
        """Makes the change; when that fails everything is as before."""

    def confirm(self) -> None:
        """The change stays."""

    def take_back(self) -> bool:
        """Everything is as before; False when there was no change."""


class LanServer(Protocol):
    """Where the set-up page is served."""

    async def release(self) -> None:
        """Takes every address away that was given for the set-up, and serves nothing."""

    def serve(self, lan: str) -> None:
        """From now on serves only this interface; every LAN side for an empty name."""

    @property
    def foreign(self) -> frozenset[str]:
        """Interfaces on which another DHCP server or router answers."""


@dataclass(frozen=True, slots=True)
class MachineDefaults:
    """What is proposed from this machine."""

    host_name: str = ""
    country: str = ""


async def join_nobody(_answers: Answers) -> None:
    """For a set-up that cannot reach a community."""


class SetupService:
    """One set-up. Its methods are called by one task at a time for each browser; `run` makes the changes."""

    def __init__(
        self,
        code: CodeCheck,
        network: NetworkChange,
        lan: LanServer,
        line: LineMeter,
        *,
        write_files: Callable[[Answers, str], str],
        clock: Callable[[], Monotonic],
        machine: MachineDefaults,
        join: Callable[[Answers], Awaitable[None]] = join_nobody,
        planned: Callable[[Answers, NetworkFacts, str], NetworkPlan] = network_plan,
        answered_s: float = ANSWERED_S,
    ) -> None:
        """`write_files` writes all files of the node from the answers and the name of the LAN's interface, and returns the
        fingerprint of its certificate; it blocks. `join` uses the invite in the answers; it raises NodeError when no member
        lets this node in."""
        self.phase: Phase = "asking"
        self.answers: Answers | None = None
        self.plan: NetworkPlan | None = None
        self.trouble: NodeError | None = None
        """Why the last attempt failed."""
        self.form: FormView | None = None
        """As it was sent last; None before."""
        self.fingerprint = ""
        """Of the certificate of the admin pages, once the files are written; empty when there is none."""
        self.finished = asyncio.Event()
        self.line = line
        """Measures the download; its `run` is a task of its own."""
        self._code, self._network, self._lan = code, network, lan
        self._proposes_speed = False
        self._join = join
        self._write_files, self._clock, self._machine = write_files, clock, machine
        self._planned, self._answered_s = planned, answered_s
        self._holder = self._asked_from = ""
        self._ends = Monotonic(0)
        self._begun, self._confirmed = asyncio.Event(), asyncio.Event()
        self._deciding, self._writing = asyncio.Lock(), asyncio.Lock()

    # --- who holds it ---

    @property
    def is_taken(self) -> bool:
        return bool(self._holder)

    def is_holder(self, token: str) -> bool:
        return bool(token) and hmac.compare_digest(token, self._holder)

    def claim(self, typed: str, client: str) -> tuple[CodeAttempt, str]:
        """With the right code, the token of the new holder; the one before holds it no longer."""
        attempt = self._code.attempt(typed, client, self._clock())
        if attempt.result == "right":
            self._holder = secrets.token_urlsafe(TOKEN_BYTES)
            log.info("the set-up is open in a browser at %s", client)
            return attempt, self._holder
        if attempt.result == "wrong":
            log.warning("a wrong set-up code came from %s", client)
        return attempt, ""

    # --- asking ---

    async def facts(self) -> NetworkFacts:
        return await asyncio.to_thread(self._network.look)

    def choices(self, facts: NetworkFacts, languages: tuple[str, ...]) -> Choices:
        machine = self._machine
        return choices_of(facts, languages, machine.host_name, machine.country, self._lan.foreign)

    def shown_form(self, choices: Choices, language: str) -> FormView:
        """As typed last, or the proposals; with the speed that was measured since."""
        form = self.form or proposals(choices, language)
        speed = self.line.speed if self._proposes_speed else None
        return with_download(form, speed.down) if speed else form

    async def measure_line(self, fields: Mapping[str, str]) -> None:
        """Begins to measure the line, whose download is then proposed in the form. Everything typed stays in it, without
        the passphrase."""
        facts = await self.facts()
        if self.phase == "asking":
            self.form, self.trouble, self._proposes_speed = as_typed(fields), None, True
            self.line.begin(facts)

    async def answer(
        self, fields: Mapping[str, str], languages: tuple[str, ...], asked_from: str
    ) -> FormView:
        """Reads a sent form. Without errors in the returned view there is a plan now. `asked_from` is the interface of
        the connection."""
        facts = await self.facts()
        answers, view = read_answers(fields, self.choices(facts, languages))
        if self.phase not in {"asking", "planned"}:
            return view
        await self.line.cancel()
        self._proposes_speed = False
        self.form, self.trouble = view, None
        if answers is None:
            self.phase = "asking"
            return view
        try:
            plan = self._planned(answers, facts, asked_from)
            # Before anything is changed: a person can still correct the invite, or set this node up without one.
            await self._join(answers)
        except NodeError as error:
            self.trouble, self.phase = error, "asking"
            return view
        self.answers, self.plan, self.phase = answers, plan, "planned"
        self._asked_from = asked_from
        return view

    def reconsider(self) -> None:
        """Back to the questions, before anything was changed."""
        if self.phase == "planned":
            self.phase, self.trouble = "asking", None

    # --- changing ---

    @property
    def left_s(self) -> int:
        """Until the change is taken back; 0 when it is not, or not yet complete."""
        return max(0, -(-(self._ends - self._clock()) // 1_000)) if self.phase == "trying" else 0

    async def begin(self) -> None:
        """Starts the change that was planned. Without one, the files are written at once. When the machine's network has
        changed since the plan was made, there is another plan to be read first."""
        facts = await self.facts()
        if self.phase != "planned":
            return
        self.trouble = self._why_outdated(facts)
        if self.trouble is not None:
            return
        assert self.plan is not None
        if not self.plan.files:
            self.phase = "confirmed"
            await self._write()
            return
        self.phase = "changing"
        self._begun.set()

    def _why_outdated(self, facts: NetworkFacts) -> NodeError | None:
        """None when the plan is still right; it then has the newest facts. Otherwise there is a new plan, or none yet: a
        port must not become one for people when it leads to the Internet by now, or another DHCP server is there."""
        assert self.plan is not None
        assert self.answers is not None
        shown = self.plan
        ports = self.choices(facts, ()).ports
        answers = replace(self.answers, lan=tuple(name for name in ports if name != self.answers.uplink))
        try:
            plan = self._planned(answers, facts, self._asked_from)
        except NodeError as error:
            return error
        self.answers, self.plan = answers, plan
        if (plan.sentences, plan.files) == (shown.sentences, shown.files):
            return None
        return NodeError(
            gettext_lazy("The network of this machine has changed since you saw the plan."),
            gettext_lazy("Read the plan again."),
        )

    async def confirm(self, asked_from: str) -> None:
        """The new network works: the change stays, and all files are written. Only from the new network itself."""
        async with self._deciding:
            if self.phase == "trying" and self.is_new_network(asked_from):
                await asyncio.to_thread(self._network.confirm)
                self.phase = "confirmed"
                self._confirmed.set()
        if self.phase == "confirmed":
            await self._write()

    def is_new_network(self, asked_from: str) -> bool:
        return self.plan is not None and asked_from == self.plan.lan

    async def run(self) -> None:
        """Makes the changes that are begun, until cancelled. A change that nobody confirmed is taken back then, too."""
        if self.phase in {"changing", "trying"}:  # after a mistake, which has ended this task
            await self._take_back(
                NodeError(gettext_lazy("That did not work"), gettext_lazy("the network is as before"))
            )
        while True:
            await self._begun.wait()
            self._begun.clear()
            self._confirmed.clear()
            await asyncio.sleep(self._answered_s)
            await self._change()

    async def _change(self) -> None:
        assert self.plan is not None
        try:
            await self._lan.release()
            await asyncio.to_thread(self._network.apply, self.plan)
            self._lan.serve(self.plan.lan)
            self._ends = Monotonic(self._clock() + TRIAL_MS)
            self.phase = "trying"
            log.info(
                "the network is changed; it is put back unless somebody confirms it in %d s",
                TRIAL_MS // 1_000,
            )
            async with asyncio.timeout(TRIAL_MS / 1_000):
                await self._confirmed.wait()
        except TimeoutError:
            await self._take_back(
                NodeError(
                    gettext_lazy(
                        "Nobody confirmed the new network within three minutes, so everything is as before."
                    ),
                    gettext_lazy("Try again, and open the page from the new network in time."),
                )
            )
        except NodeError as error:
            log.warning("the network could not be changed: %s", error)
            await self._take_back(error)

    async def _take_back(self, why: NodeError) -> None:
        async with self._deciding:
            if self.phase == "confirmed":  # in the last moment
                return
            self.phase = "changing"
            await self._lan.release()
            self.trouble = why
            try:
                await asyncio.to_thread(self._network.take_back)
            except NodeError as error:
                log.error("the network could not be put back: %s", error)
                self.trouble = error
            self._lan.serve("")
            self.phase = "planned"

    async def _write(self) -> None:
        assert self.plan is not None
        assert self.answers is not None
        async with self._writing:
            if self.phase == "done":
                return
            self.trouble = None
            try:
                self.fingerprint = await asyncio.to_thread(self._write_files, self.answers, self.plan.lan)
            except NodeError as error:
                log.error("the node's files could not be written: %s", error)
                self.trouble = error
                return
            self.phase = "done"
            log.info("the node has its settings")
            self.finished.set()
