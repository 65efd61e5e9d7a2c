"""POST handlers: each form calls the node and shows the result, with an error beside the field that it
concerns.

Each form carries a token of this device and this purpose. Errors have their own status (422 and others),
never 200: sign-in sheets show these pages as any other.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from captive_portal import account_page, forms, info_pages, next_rules_page, splash
from captive_portal.forms import Form
from captive_portal.request_context import (
    LanguageChange,
    Outcome,
    PageResponse,
    Redirect,
    RequestContext,
    Word,
)
from captive_portal.splash import NOTHING, Typed
from node.app.views import (
    Admitted,
    CardShown,
    CodeTyped,
    Entry,
    Full,
    PassphraseTyped,
    RefusalReason,
    Refused,
    TermsAccepted,
)
from node.governance.rules import Way
from node.units import MacAddress


@dataclass(frozen=True, slots=True)
class Action:
    """One form: the purpose of its token, its handler and its fields."""

    purpose: str
    act: Callable[[RequestContext, Form], Awaitable[Outcome]]
    fields: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


async def run_action(context: RequestContext, path: str, body: bytes) -> Outcome:
    """Parses the form sent to `path`, one of `ACTIONS`, checks its token, and runs its handler."""
    wanted = ACTIONS[path]
    form = forms.read_form(body, *wanted.fields, also=wanted.also)
    if form is None:
        return PageResponse(info_pages.WrongWay(context.place()), 400)
    assert context.mac is not None, "only devices on the LAN send forms"
    match context.tokens.judge(wanted.purpose, context.mac, form["token"]):
        case "good":
            return await wanted.act(context, form)
        case "old" if wanted.purpose == forms.RULES:
            return await _next_rules_again(context, "old", form, 409)
        case "old":
            return OLD[wanted.purpose](context, form)
        case "foreign":
            return _stale(context, wanted.purpose, form)


def _stale(context: RequestContext, purpose: str, form: Form) -> Outcome:
    if purpose == forms.JOIN:
        return _welcome(context, "stale", form, 403)
    return PageResponse(info_pages.WrongWay(context.place()), 403)


def _welcome(context: RequestContext, word: Word, form: Form, status: int) -> Outcome:
    """The first page again with the typed values; a blocked device gets the reason instead."""
    guest = context.guest()
    if guest.state == "removed":
        return PageResponse(
            info_pages.removed(context, guest.removed_because or "", guest.removed_for_s), 403
        )
    return PageResponse(splash.splash(context, word, _typed(form)), status)


# --- page open for more than a day: the form again, with the typed values ---


def _old_join(context: RequestContext, form: Form) -> Outcome:
    return _welcome(context, "old", form, 409)


def _old_leave(context: RequestContext, _form: Form) -> Outcome:
    guest = context.guest()
    asking = splash.asking(context, guest)
    if guest.state != "admitted" and asking is not None:
        return PageResponse(replace(asking, is_old=True), 409)
    return _old_mine(context, "leave")


def _old_erase(context: RequestContext, _form: Form) -> Outcome:
    return PageResponse(replace(account_page.erasing(context), is_old=True), 409)


def _old_device(context: RequestContext, form: Form) -> Outcome:
    return _old_mine(context, "devices", form.get("name", ""), form.get("device", ""))


def _old_mine(
    context: RequestContext, corner: account_page.Corner, text: str = "", device: str = ""
) -> Outcome:
    return _my_page(context, account_page.Trouble(corner, "old", text=text, device=device), 409)


def _old_language(_context: RequestContext, form: Form) -> Outcome:
    """One page in this language; its language form has a new token."""
    return LanguageChange(form["lang"], form.get("back", ""), is_remembered=False)


OLD: Mapping[str, Callable[[RequestContext, Form], Outcome]] = {
    forms.JOIN: _old_join,
    forms.LEAVE: _old_leave,
    forms.ANSWER: lambda context, _form: _old_mine(context, "requests"),
    forms.DEVICES: _old_device,
    forms.PASSPHRASE: lambda context, _form: _old_mine(context, "passphrase"),
    forms.OBJECTION: lambda context, form: _old_mine(context, "contest", form["text"]),
    forms.ERASE: _old_erase,
    forms.LANGUAGE: _old_language,
}
"""Handler for an old token, by purpose; objections to rules have another page."""


def _typed(form: Form) -> Typed:
    kept = ("code", "card", "account", "host", "name")
    return replace(NOTHING, **{name: form[name] for name in kept if name in form})


# --- join methods ---


async def join_by_terms(context: RequestContext, form: Form) -> Outcome:
    return await _join(context, form, "terms", TermsAccepted())


async def join_by_code(context: RequestContext, form: Form) -> Outcome:
    return await _join(context, form, "voucher", CodeTyped(form["code"]))


async def join_by_passphrase(context: RequestContext, form: Form) -> Outcome:
    entry = PassphraseTyped(form["account"], form["passphrase"])
    return await _join(context, form, "passphrase", entry)


async def join_by_card(context: RequestContext, form: Form) -> Outcome:
    return await _join(context, form, "card", CardShown(form["card"]))


async def _join(context: RequestContext, form: Form, way: Way, entry: Entry) -> Outcome:
    version = context.community.terms_version
    if form["terms"] != version:
        return _welcome(context, "terms-changed", form, 409)
    chosen = form.get("instead_of")
    instead_of = MacAddress(chosen) if chosen else None
    assert context.mac is not None, "as in run_action"
    answer = await context.backend.admit(context.mac, entry, version, instead_of)
    if isinstance(answer, Admitted):
        return Redirect("/me")
    if isinstance(answer, Full):
        return PageResponse(splash.make_room(context, way, form, answer), 409)
    return _not_in(context, way, form, answer)


async def ask(context: RequestContext, form: Form) -> Outcome:
    version = context.community.terms_version
    if form["terms"] != version:
        return _welcome(context, "terms-changed", form, 409)
    if not form["host"].strip() or not form["name"].strip():
        return _not_in(context, "introduction", form, Refused("too-long"))
    refused = await context.backend.ask(context.device, form["host"], form["name"], version)
    return Redirect("/") if refused is None else _not_in(context, "introduction", form, refused)


def _not_in(context: RequestContext, way: Way, form: Form, refused: Refused) -> Outcome:
    if refused.reason == "removed":
        return PageResponse(info_pages.removed(context, refused.detail), 403)
    if refused.reason in {"trouble", "memory"}:
        return PageResponse(info_pages.refused(context, refused), 503, info_pages.RETRY_S)
    page = splash.splash(context, typed=_typed(form), failure=splash.failure(way, refused))
    return PageResponse(page, _status(refused), refused.wait_s)


def _status(refused: Refused) -> int:
    match refused.reason:
        case "too-many-guesses" | "too-many-open":
            return 429
        case "way-closed" | "not-a-member" | "not-yours" | "no-passphrase":
            return 403
        case _:
            return 422


# --- account page ---


async def leave(context: RequestContext, _form: Form) -> Outcome:
    await context.backend.leave(context.device)
    return Redirect("/")


async def answer(context: RequestContext, form: Form) -> Outcome:
    choice, number = form["yes"], int(form["number"])
    match choice:
        case "device" | "all" | "hear":
            refused = await context.backend.mute(context.device, number, choice)
        case _:
            refused = await context.backend.answer(context.device, number, yes=choice == "yes")
    return _mine(context, "requests", refused, "answered")


async def new_device_code(context: RequestContext, _form: Form) -> Outcome:
    code = await context.backend.new_device_code(context.device)
    if isinstance(code, Refused):
        return _not_done(context, "devices", code)
    return Redirect("/me#add")


async def name_device(context: RequestContext, form: Form) -> Outcome:
    refused = await context.backend.name_device(context.device, MacAddress(form["device"]), form["name"])
    return _mine(context, "devices", refused, "named")


async def remove_device(context: RequestContext, form: Form) -> Outcome:
    refused = await context.backend.remove_device(context.device, MacAddress(form["device"]))
    return _mine(context, "devices", refused, "removed")


async def set_passphrase(context: RequestContext, form: Form) -> Outcome:
    refused = await context.backend.set_passphrase(
        context.device, form["passphrase"], form.get("current", "")
    )
    return _mine(context, "passphrase", refused, "passphrase")


async def add_objection(context: RequestContext, form: Form) -> Outcome:
    if not form["text"].strip():
        return _not_done(context, "contest", Refused("too-long"))
    refused = await context.backend.add_objection(context.device, form["rule"], form["text"])
    return _mine(context, "contest", refused, "contested", form["text"])


async def read_message(context: RequestContext, form: Form) -> Outcome:
    refused = await context.backend.read_message(context.device, form["shown"])
    return _mine(context, "message", refused, "read")


async def object_to_rules(context: RequestContext, form: Form) -> Outcome:
    number = int(form["number"])
    refused = await context.backend.object_to_rules(context.device, number, form["text"])
    return await _next_rules(context, "objected", refused, form)


async def take_back_objection(context: RequestContext, form: Form) -> Outcome:
    refused = await context.backend.take_back_objection(context.device, int(form["number"]))
    return await _next_rules(context, "withdrawn", refused, form)


async def _next_rules(
    context: RequestContext, deed: next_rules_page.Deed, refused: Refused | None, form: Form
) -> Outcome:
    if refused is None:
        return Redirect(f"{next_rules_page.PATH}?version={int(form['number'])}&done={deed}")
    if refused.reason in {"trouble", "memory"}:
        return PageResponse(info_pages.refused(context, refused), 503, info_pages.RETRY_S)
    return await _next_rules_again(context, refused.reason, form, _status(refused))


async def _next_rules_again(
    context: RequestContext, reason: RefusalReason | Literal["old"], form: Form, status: int
) -> Outcome:
    """The page with the text as typed; the first page when the session has ended."""
    text, number = form.get("text", ""), int(form.get("number", "0"))
    if context.guest().state != "admitted":
        return PageResponse(splash.splash(context, "out", replace(NOTHING, text=text)), status)
    page = await next_rules_page.next_rules(context, reason=reason, text=text, number=number)
    return PageResponse(page, status)


async def erase(context: RequestContext, _form: Form) -> Outcome:
    await context.backend.erase(context.device)
    return Redirect("/")


def _mine(
    context: RequestContext,
    corner: account_page.Corner,
    refused: Refused | None,
    deed: account_page.Deed,
    text: str = "",
) -> Outcome:
    return Redirect(f"/me?done={deed}") if refused is None else _not_done(context, corner, refused, text)


def _not_done(
    context: RequestContext, corner: account_page.Corner, refused: Refused, text: str = ""
) -> Outcome:
    if refused.reason in {"trouble", "memory"}:
        return PageResponse(info_pages.refused(context, refused), 503, info_pages.RETRY_S)
    return _my_page(context, account_page.trouble(corner, refused, text), _status(refused), refused.wait_s)


def _my_page(context: RequestContext, trouble: account_page.Trouble, status: int, wait_s: int = 0) -> Outcome:
    """The account page; the first page when the session has ended, with an unsent objection kept."""
    if context.guest().state == "admitted":
        return PageResponse(account_page.account_page(context, trouble=trouble), status, wait_s)
    if trouble.corner != "contest" or not trouble.text:
        return Redirect("/")
    return PageResponse(splash.splash(context, "out", replace(NOTHING, text=trouble.text)), status)


# --- language ---


async def choose_language(_context: RequestContext, form: Form) -> Outcome:
    return LanguageChange(form["lang"], form.get("back", ""))


_INSTEAD = ("instead_of",)

ACTIONS: Mapping[str, Action] = {
    "/join/terms": Action(forms.JOIN, join_by_terms, ("terms",), _INSTEAD),
    "/join/code": Action(forms.JOIN, join_by_code, ("terms", "code"), _INSTEAD),
    "/join/passphrase": Action(forms.JOIN, join_by_passphrase, ("terms", "account", "passphrase"), _INSTEAD),
    "/join/card": Action(forms.JOIN, join_by_card, ("terms", "card"), _INSTEAD),
    "/ask": Action(forms.JOIN, ask, ("terms", "host", "name")),
    "/leave": Action(forms.LEAVE, leave),
    "/answer": Action(forms.ANSWER, answer, ("number", "yes")),
    "/read": Action(forms.ANSWER, read_message, ("shown",)),
    "/devices/code": Action(forms.DEVICES, new_device_code),
    "/devices/name": Action(forms.DEVICES, name_device, ("device", "name")),
    "/devices/remove": Action(forms.DEVICES, remove_device, ("device",)),
    "/passphrase": Action(forms.PASSPHRASE, set_passphrase, ("passphrase",), ("current",)),
    "/contest": Action(forms.OBJECTION, add_objection, ("rule", "text")),
    "/rules/object": Action(forms.RULES, object_to_rules, ("number", "text")),
    "/rules/take-back": Action(forms.RULES, take_back_objection, ("number",)),
    "/erase": Action(forms.ERASE, erase),
    "/language": Action(forms.LANGUAGE, choose_language, ("lang",), ("back",)),
}
"""Every path that changes something."""
