"""The inbox as a page and as a REST API: a web server that is fed by hostile mail, and built for it.

::

    with Inbox() as inbox, Site(inbox.store, faults=inbox.faults) as site:
        print(site.url)                                    # http://127.0.0.1:8025/

    GET  /                      the list; ?q=SEARCH, ?before=ID          pages.listing
    GET  /m/{id}[/{view}]       a message; html, text, headers, parts, source, transcript, checks
    GET  /m/{id}/frame          its HTML, made harmless, for a frame in a sandbox; ?part=N, ?images=1
    GET  /m/{id}/part/{n}       one part as a download; ?preview for a raster picture
    GET  /m/{id}/raw            the octets, as an .eml
    GET  /charts, /faults       plots; what is broken on request
    GET  /events                server-sent events: `rows` (a fragment of the list, newest first), `count`
    POST /delete, /read, /m/{id}/delete, /m/{id}/mark, /m/{id}/release, /faults     forms; each has a field `csrf`
    /api, /api/openapi.json, /api/v1/…                                   the same for programs

`serving` is the server and its thread, `patience` its limits for clients, `doors` says who may ask, and `security` asks
everybody, in front of every route. `app` puts the routes together: `browsing` and `changing` are what a browser asks
for, `api` what a program does, with `operations` and `facts` for what is given and told; `openapi` describes that from
the same tables. `answers` says what went wrong. `live` tells what arrives, `parts` and `downloads` give a message away
in pieces; `resources` is what all of them work with. `release` and `spamd` are the only two that ever connect to
anything, each when it was switched on. `pages` makes the HTML.
"""

from __future__ import annotations

from mailwright.inbox.web.serving import Site

__all__ = ["Site"]
