"""What each form does: it asks the house, and shows the answer beside the field that it is about.

Each form brings a token of this device and this purpose. What did not work is answered with a status of its own
(422 and the like), never with 200: the systems' sign-in sheets show these pages as they show any other.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from captive_portal import forms, mine, pages, reading, welcome
from captive_portal.forms import Form
from captive_portal.ports import (
    Admitted,
    CardShown,
    CodeTyped,
    Entry,
    Full,
    PassphraseTyped,
    Refused,
    TermsAccepted,
)
from captive_portal.visit import Go, Outcome, Show, Speak, Visit, Word
from captive_portal.welcome import NOTHING, Typed
from node.governance.joining import Way
from node.units import MacAddress


@dataclass(frozen=True, slots=True)
class Change:
    """One form: what it is good for, its fields, and what it does."""

    purpose: str
    act: Callable[[Visit, Form], Awaitable[Outcome]]
    fields: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


async def change(visit: Visit, path: str, body: bytes) -> Outcome:
    """Reads and proves the form that was sent to `path`, one of `CHANGES`, and does what it asks."""
    wanted = CHANGES[path]
    form = forms.read_form(body, *wanted.fields, also=wanted.also)
    if form is None:
        return Show(pages.WrongWay(visit.place()), 400)
    match visit.judged(wanted.purpose, form):
        case "good":
            return await wanted.act(visit, form)
        case "old":
            return OLD[wanted.purpose](visit, form)
        case "foreign":
            return _stale(visit, wanted.purpose, form)


def _stale(visit: Visit, purpose: str, form: Form) -> Outcome:
    if purpose == forms.JOIN:
        return _welcome(visit, "stale", form, 403)
    return Show(pages.WrongWay(visit.place()), 403)


def _welcome(visit: Visit, word: Word, form: Form, status: int) -> Outcome:
    """The first page once more, with what was typed; for who was removed, why."""
    guest = visit.guest()
    if guest.state == "removed":
        return Show(pages.removed(visit, guest.removed_because or ""), 403)
    return Show(welcome.splash(visit, word, _typed(form)), status)


# --- a page that was open for more than a day: its form once more, with what was typed ---


def _old_join(visit: Visit, form: Form) -> Outcome:
    return _welcome(visit, "old", form, 409)


def _old_leave(visit: Visit, _form: Form) -> Outcome:
    asking = welcome.asking(visit)
    if visit.guest().state != "admitted" and asking is not None:
        return Show(replace(asking, is_old=True), 409)
    return _old_mine(visit, "leave")


def _old_erase(visit: Visit, _form: Form) -> Outcome:
    return Show(replace(mine.erasing(visit), is_old=True), 409)


def _old_device(visit: Visit, form: Form) -> Outcome:
    return _old_mine(visit, "devices", form.get("name", ""), form.get("device", ""))


def _old_mine(visit: Visit, corner: mine.Corner, text: str = "", device: str = "") -> Outcome:
    return _my_page(visit, mine.Trouble(corner, "old", text=text, device=device), 409)


def _old_language(_visit: Visit, form: Form) -> Outcome:
    """For this once: the page that it leads to has a switch that is good again."""
    path = _own_page(form.get("back", ""))
    return Go(f"{path}{'&' if '?' in path else '?'}lang={form['lang']}")


OLD: Mapping[str, Callable[[Visit, Form], Outcome]] = {
    forms.JOIN: _old_join,
    forms.LEAVE: _old_leave,
    forms.ANSWER: lambda visit, _form: _old_mine(visit, "requests"),
    forms.DEVICES: _old_device,
    forms.PASSPHRASE: lambda visit, _form: _old_mine(visit, "passphrase"),
    forms.CONTEST: lambda visit, form: _old_mine(visit, "contest", form["text"]),
    forms.ERASE: _old_erase,
    forms.LANGUAGE: _old_language,
}
"""By purpose."""


def _typed(form: Form) -> Typed:
    kept = ("code", "card", "account", "host", "name")
    return replace(NOTHING, **{name: form[name] for name in kept if name in form})


# --- the ways in ---


async def join_by_terms(visit: Visit, form: Form) -> Outcome:
    return await _join(visit, form, "terms", TermsAccepted())


async def join_by_code(visit: Visit, form: Form) -> Outcome:
    return await _join(visit, form, "voucher", CodeTyped(form["code"]))


async def join_by_passphrase(visit: Visit, form: Form) -> Outcome:
    entry = PassphraseTyped(form["account"], form["passphrase"])
    return await _join(visit, form, "passphrase", entry)


async def join_by_card(visit: Visit, form: Form) -> Outcome:
    return await _join(visit, form, "card", CardShown(form["card"]))


async def _join(visit: Visit, form: Form, way: Way, entry: Entry) -> Outcome:
    version = visit.community.terms_version
    if form["terms"] != version:
        return _welcome(visit, "terms-changed", form, 409)
    chosen = form.get("instead_of")
    instead_of = MacAddress(chosen) if chosen else None
    answer = await visit.house.admit(visit.device, entry, version, instead_of)
    if isinstance(answer, Admitted):
        return Go("/me")
    if isinstance(answer, Full):
        return Show(welcome.make_room(visit, way, form, answer), 409)
    return _not_in(visit, way, form, answer)


async def ask(visit: Visit, form: Form) -> Outcome:
    version = visit.community.terms_version
    if form["terms"] != version:
        return _welcome(visit, "terms-changed", form, 409)
    if not form["host"].strip() or not form["name"].strip():
        return _not_in(visit, "introduction", form, Refused("too-long"))
    refused = await visit.house.ask(visit.device, form["host"], form["name"], version)
    return Go("/") if refused is None else _not_in(visit, "introduction", form, refused)


def _not_in(visit: Visit, way: Way, form: Form, refused: Refused) -> Outcome:
    if refused.reason == "removed":
        return Show(pages.removed(visit, refused.detail), 403)
    if refused.reason in {"trouble", "memory"}:
        return Show(pages.refused(visit, refused), 503, pages.RETRY_S)
    page = welcome.splash(visit, typed=_typed(form), failure=welcome.failure(way, refused))
    return Show(page, _status(refused), refused.wait_s)


def _status(refused: Refused) -> int:
    match refused.reason:
        case "too-many-guesses" | "too-many-open":
            return 429
        case "way-closed" | "not-a-member" | "not-yours" | "no-passphrase":
            return 403
        case _:
            return 422


# --- my page ---


async def leave(visit: Visit, _form: Form) -> Outcome:
    await visit.house.leave(visit.device)
    return Go("/")


async def answer(visit: Visit, form: Form) -> Outcome:
    said, number = form["yes"], int(form["number"])
    match said:
        case "device" | "all" | "hear":
            refused = await visit.house.mute(visit.device, number, said)
        case _:
            refused = await visit.house.answer(visit.device, number, yes=said == "yes")
    return _mine(visit, "requests", refused, "answered")


async def new_device_code(visit: Visit, _form: Form) -> Outcome:
    code = await visit.house.new_device_code(visit.device)
    if isinstance(code, Refused):
        return _not_done(visit, "devices", code)
    return Go("/me#add")


async def name_device(visit: Visit, form: Form) -> Outcome:
    refused = await visit.house.name_device(visit.device, MacAddress(form["device"]), form["name"])
    return _mine(visit, "devices", refused, "named")


async def remove_device(visit: Visit, form: Form) -> Outcome:
    refused = await visit.house.remove_device(visit.device, MacAddress(form["device"]))
    return _mine(visit, "devices", refused, "removed")


async def set_passphrase(visit: Visit, form: Form) -> Outcome:
    refused = await visit.house.set_passphrase(visit.device, form["passphrase"], form.get("current", ""))
    return _mine(visit, "passphrase", refused, "passphrase")


async def contest(visit: Visit, form: Form) -> Outcome:
    if not form["text"].strip():
        return _not_done(visit, "contest", Refused("too-long"))
    refused = await visit.house.contest(visit.device, form["rule"], form["text"])
    return _mine(visit, "contest", refused, "contested", form["text"])


async def erase(visit: Visit, _form: Form) -> Outcome:
    await visit.house.erase(visit.device)
    return Go("/")


def _mine(
    visit: Visit, corner: mine.Corner, refused: Refused | None, deed: mine.Deed, text: str = ""
) -> Outcome:
    return Go(f"/me?done={deed}") if refused is None else _not_done(visit, corner, refused, text)


def _not_done(visit: Visit, corner: mine.Corner, refused: Refused, text: str = "") -> Outcome:
    if refused.reason in {"trouble", "memory"}:
        return Show(pages.refused(visit, refused), 503, pages.RETRY_S)
    return _my_page(visit, mine.trouble(corner, refused, text), _status(refused), refused.wait_s)


def _my_page(visit: Visit, trouble: mine.Trouble, status: int, wait_s: int = 0) -> Outcome:
    """For who is not in any more the first page; a text that they wrote comes along."""
    if visit.guest().state == "admitted":
        return Show(mine.my_page(visit, trouble=trouble), status, wait_s)
    if trouble.corner != "contest" or not trouble.text:
        return Go("/")
    return Show(welcome.splash(visit, "out", replace(NOTHING, text=trouble.text)), status)


# --- the language ---


async def choose_language(_visit: Visit, form: Form) -> Outcome:
    return Speak(form["lang"], _own_page(form.get("back", "")))


def _own_page(back: str) -> str:
    """`back` if it is a page of ours, with what its address may bring along; otherwise the first page."""
    path, _, query = back.partition("?")
    if path not in reading.FOR_ALL and path not in reading.FOR_DEVICES:
        return "/"
    brought = {name: value for name, value in forms.read_query(query).items() if name in {"code", "card"}}
    return f"{path}?{urlencode(brought)}" if brought else path


_INSTEAD = ("instead_of",)

CHANGES: Mapping[str, Change] = {
    "/join/terms": Change(forms.JOIN, join_by_terms, ("terms",), _INSTEAD),
    "/join/code": Change(forms.JOIN, join_by_code, ("terms", "code"), _INSTEAD),
    "/join/passphrase": Change(forms.JOIN, join_by_passphrase, ("terms", "account", "passphrase"), _INSTEAD),
    "/join/card": Change(forms.JOIN, join_by_card, ("terms", "card"), _INSTEAD),
    "/ask": Change(forms.JOIN, ask, ("terms", "host", "name")),
    "/leave": Change(forms.LEAVE, leave),
    "/answer": Change(forms.ANSWER, answer, ("number", "yes")),
    "/devices/code": Change(forms.DEVICES, new_device_code),
    "/devices/name": Change(forms.DEVICES, name_device, ("device", "name")),
    "/devices/remove": Change(forms.DEVICES, remove_device, ("device",)),
    "/passphrase": Change(forms.PASSPHRASE, set_passphrase, ("passphrase",), ("current",)),
    "/contest": Change(forms.CONTEST, contest, ("rule", "text")),
    "/erase": Change(forms.ERASE, erase),
    "/language": Change(forms.LANGUAGE, choose_language, ("lang",), ("back",)),
}
"""Every address that changes something."""
