"""Tablets: who has which, how they do, enrolling and revoking them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from flask import Response, request

from schemas import api_devices as payloads
from sync_server.access import enrolment_link
from sync_server.access.fleet import Tablet, fleet
from sync_server.access.remote_address import peer_of
from sync_server.api.surroundings import ApiBlueprint, administrator, now_ms, parts

blueprint = ApiBlueprint("api_devices", __name__, url_prefix="/api")


@blueprint.after_request
def keep_to_yourself(response: Response) -> Response:
    """Codes and tokens are shown once, and by no cache."""
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/devices")
@blueprint.response(200, payloads.Devices)
def devices() -> dict[str, Any]:
    """All tablets, by account and name, revoked ones too."""
    administrator()
    return {"devices": [_shown(tablet) for tablet in fleet(parts(), now_ms())]}


@blueprint.post("/devices/enrolments")
@blueprint.arguments(payloads.Offer)
@blueprint.response(201, payloads.OfferedCode)
def offer(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A one-time code that enrols a tablet, or enrols it again."""
    admin = administrator()
    parts().store.database(payload["database"])
    made = parts().enrolments.offer(**payload, actor=admin.name)
    link = enrolment_link.link(_base_url(), made.code)
    return {**asdict(made), "link": link, "qr_svg": enrolment_link.as_svg(link)}


@blueprint.post("/devices/<docid:account>/<docid:device>/revoke")
@blueprint.arguments(payloads.Revocation)
@blueprint.response(200, payloads.Revoked)
def revoke(payload: Mapping[str, Any], account: str, device: str) -> dict[str, Any]:
    """Refuse a tablet from now on."""
    admin = administrator()
    return {"accounts": parts().devices.revoke(account, device, **payload, actor=admin.name)}


@blueprint.post("/enrol")
@blueprint.arguments(payloads.Code)
@blueprint.response(200, payloads.Enrolled)
def enrol(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Trade a code for the tablet's token. Needs no other credentials."""
    with parts().throttle.code(peer_of(request.environ)):
        enrolled = parts().enrolments.redeem(payload["code"])
    url = f"{_base_url()}/db/{quote(enrolled.database, safe='')}"
    return {**asdict(enrolled), "url": url}


def _base_url() -> str:
    return (parts().settings.public_url or request.host_url).rstrip("/")


def _shown(tablet: Tablet) -> dict[str, Any]:
    replicas = [asdict(replica) for replica in tablet.replicas]
    return {**asdict(tablet.device), "replicas": replicas}
