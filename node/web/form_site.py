"""What the sites with forms have in common, the admin pages and the set-up: headers, cookies, the fields of a form, and the
responses around a page."""

from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qsl

from aiohttp import web

from node.web.application import cookie_of
from node.web.framing import ALLOWED, HEAD_END
from node.web.language_choice import TAG_CHARACTERS_MAX, LanguageChooser, PageLanguage, lookup

FIELDS_MAX = 60
"""Of a form: enough for a notice in every language of the node."""
LANGUAGE_COOKIE = "lang"


def site_headers(content_security_policy: str) -> dict[str, str]:
    """Headers of every response."""
    return {
        "Server": "procomu",
        "Cache-Control": "no-store",
        "Content-Security-Policy": content_security_policy,
        "X-Content-Type-Options": "nosniff",
        # A sign-in token or the set-up code can be in a URL; it must not leak to other sites.
        "Referrer-Policy": "same-origin",
    }


def media_type(request: web.Request) -> str:
    # Not the library's `content_type`, which fails on other than ASCII.
    return request.headers.get("Content-Type", "").partition(";")[0].strip(" \t").lower()


async def form_fields(request: web.Request) -> Mapping[str, str]:
    """Fields of a POST form; empty when the body is not a valid form without files."""
    if request.method != "POST" or media_type(request) != "application/x-www-form-urlencoded":
        return {}
    body = await request.read()
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        return {}


def set_cookie(request: web.Request, response: web.Response, name: str, value: str, max_age: int) -> None:
    """A cookie for this site only, which no script reads; `max_age` in seconds."""
    response.set_cookie(
        name, value, max_age=max_age, path="/", secure=request.secure, httponly=True, samesite="Strict"
    )


def page_language(request: web.Request, languages: LanguageChooser, own: str) -> PageLanguage:
    """The language that was chosen, or that the browser requests; without either `own`."""
    chosen = cookie_of(request, LANGUAGE_COOKIE)[: TAG_CHARACTERS_MAX + 1]
    return languages.language_for(None, request.headers.get("Accept-Language", ""), own=own, chosen=chosen)


def choose_language(
    request: web.Request, response: web.Response, typed: str, offered: PageLanguage, max_age: int
) -> None:
    """Remembers the chosen language in the browser, if it is offered."""
    tag = lookup([each.tag for each in offered.offered], typed[: TAG_CHARACTERS_MAX + 1])
    if tag is not None:
        set_cookie(request, response, LANGUAGE_COOKIE, tag, max_age)


def html(body: bytes, language: str, status: int = 200) -> web.Response:
    """A page in the language with this tag."""
    headers = {"Content-Language": language, "Vary": "Accept-Language, Cookie"}
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8", headers=headers)


def see_other(where: str) -> web.Response:
    """After a form."""
    return web.Response(status=303, headers={"Location": where})


def refusal_bytes(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """A complete HTTP response, with a page, to data that is not a valid request."""
    fields = {
        **headers,
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Date": formatdate(usegmt=True),
        **({"Allow": ALLOWED} if status == 405 else {}),
    }
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{n}: {v}" for n, v in fields.items())]
    return "\r\n".join(lines).encode() + HEAD_END + body
