"""GET handlers: one for each page. They change nothing."""

import json
from collections.abc import Awaitable, Callable, Mapping

from captive_portal import account_page, info_pages, splash, status
from captive_portal.request_context import (
    Download,
    Outcome,
    PageResponse,
    Redirect,
    RequestContext,
    SplashResponse,
)

JSON = "application/json"
View = Callable[[RequestContext], Awaitable[Outcome]]


async def home(context: RequestContext) -> Outcome:
    """Splash page, wait for a sponsor, account page or the reason of a block, by the state of the device."""
    guest = context.guest()
    if guest.state == "removed":
        return PageResponse(info_pages.removed(context, guest.removed_because or ""), 403)
    begun = splash.begun(context) if context.query else splash.NOTHING
    if begun is not splash.NOTHING and begun != splash.NOTHING:
        return PageResponse(splash.splash(context, typed=begun))
    if guest.state == "admitted":
        return PageResponse(account_page.account_page(context))
    asking = splash.asking(context, guest)
    if asking is not None:
        return PageResponse(asking, refresh_s=0 if asking.is_still else splash.LOOK_AGAIN_S)
    return SplashResponse(splash.word_for(guest))


async def me(context: RequestContext) -> Outcome:
    if context.guest().state != "admitted":
        return Redirect("/")
    return PageResponse(account_page.account_page(context, context.query.get("done", "")))


async def ways(context: RequestContext) -> Outcome:
    """Join methods for a device that is already authorized: more time, or another account."""
    if context.guest().state == "removed":
        return Redirect("/")
    return PageResponse(splash.splash(context))


async def terms(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.terms(context))


async def network(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.our_network(context))


async def notices(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.notices(context))


async def services(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.services(context))


async def privacy(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.privacy(context))


async def help_page(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.Help(context.place()))


async def my_data(context: RequestContext) -> Outcome:
    return PageResponse(account_page.my_data(context, await context.backend.own_data(context.device)))


async def my_data_file(context: RequestContext) -> Outcome:
    data = await context.backend.own_data(context.device)
    return Download(
        json.dumps(data, ensure_ascii=False, indent=1, default=str).encode(), JSON, "my-data.json"
    )


async def erasing(context: RequestContext) -> Outcome:
    return PageResponse(account_page.erasing(context))


async def state(context: RequestContext) -> Outcome:
    return Download(status.document(context.guest()), status.CONTENT_TYPE)


FOR_ALL: Mapping[str, View] = {
    "/terms": terms,
    "/network": network,
    "/notices": notices,
    "/services": services,
    "/privacy": privacy,
    "/help": help_page,
}
"""Pages for every client, on the LAN or not."""

FOR_DEVICES: Mapping[str, View] = {
    "/": home,
    "/me": me,
    "/ways": ways,
    "/my-data": my_data,
    "/my-data.json": my_data_file,
    "/my-data/erase": erasing,
    "/status.json": state,
}
"""Pages about the requesting device."""
