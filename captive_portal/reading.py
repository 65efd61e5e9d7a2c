"""What each address shows. Nothing here changes anything, except that asking for a page may be noticed."""

import json
from collections.abc import Awaitable, Callable, Mapping

from captive_portal import mine, pages, status, welcome
from captive_portal.visit import Give, Go, Outcome, Show, Visit, Welcome

JSON = "application/json"
Reader = Callable[[Visit], Awaitable[Outcome]]


async def home(visit: Visit) -> Outcome:
    """The ways in, the wait for a member, my page, or why somebody was removed: whatever is this device's next."""
    guest = visit.guest()
    if guest.state == "removed":
        return Show(pages.removed(visit, guest.removed_because or ""), 403)
    begun = welcome.begun(visit)
    if begun != welcome.NOTHING:
        return Show(welcome.splash(visit, typed=begun))
    if guest.state == "admitted":
        return Show(mine.my_page(visit))
    asking = welcome.asking(visit)
    if asking is not None:
        return Show(asking, refresh_s=0 if asking.is_still else welcome.LOOK_AGAIN_S)
    return Welcome(welcome.word_for(guest))


async def me(visit: Visit) -> Outcome:
    if visit.guest().state != "admitted":
        return Go("/")
    return Show(mine.my_page(visit, visit.query.get("done", "")))


async def ways(visit: Visit) -> Outcome:
    """The ways in for who has come in already: more time, or another account."""
    if visit.guest().state == "removed":
        return Go("/")
    return Show(welcome.splash(visit))


async def terms(visit: Visit) -> Outcome:
    return Show(pages.terms(visit))


async def network(visit: Visit) -> Outcome:
    return Show(pages.our_network(visit))


async def notices(visit: Visit) -> Outcome:
    return Show(pages.notices(visit))


async def services(visit: Visit) -> Outcome:
    return Show(pages.services(visit))


async def privacy(visit: Visit) -> Outcome:
    return Show(pages.privacy(visit))


async def help_page(visit: Visit) -> Outcome:
    return Show(pages.Help(visit.place()))


async def my_data(visit: Visit) -> Outcome:
    return Show(mine.my_data(visit, await visit.house.own_data(visit.device)))


async def my_data_file(visit: Visit) -> Outcome:
    data = await visit.house.own_data(visit.device)
    return Give(json.dumps(data, ensure_ascii=False, indent=1, default=str).encode(), JSON, "my-data.json")


async def erasing(visit: Visit) -> Outcome:
    return Show(mine.erasing(visit))


async def state(visit: Visit) -> Outcome:
    return Give(status.document(visit.guest()), status.CONTENT_TYPE)


FOR_ALL: Mapping[str, Reader] = {
    "/terms": terms,
    "/network": network,
    "/notices": notices,
    "/services": services,
    "/privacy": privacy,
    "/help": help_page,
}
"""Pages that whoever is elsewhere may read too."""

FOR_DEVICES: Mapping[str, Reader] = {
    "/": home,
    "/me": me,
    "/ways": ways,
    "/my-data": my_data,
    "/my-data.json": my_data_file,
    "/my-data/erase": erasing,
    "/status.json": state,
}
"""Pages about the device that asks."""
