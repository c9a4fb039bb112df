"""Databases as a whole."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import MEMBERS_DATABASE
from tests.conformance.wire import A, B, Wire, WireDatabase, fresh_name, revision


def test_information_has_what_clients_read(db: WireDatabase) -> None:
    info = db.json()
    assert info["db_name"] == db.name
    assert (info["doc_count"], info["doc_del_count"]) == (0, 0)
    assert isinstance(info["instance_start_time"], str)
    assert isinstance(info["disk_format_version"], int)
    assert info["compact_running"] is False
    assert {"file", "active", "external"} <= info["sizes"].keys()
    assert isinstance(info["props"], dict)
    assert int(str(info["update_seq"]).partition("-")[0]) == 0


def test_counts_follow_what_is_written_and_deleted(db: WireDatabase) -> None:
    db.save("kept")
    db.delete(f"/gone?rev={db.save('gone')}")
    info = db.json()
    assert (info["doc_count"], info["doc_del_count"]) == (1, 1)


def test_a_missing_database_is_404_for_who_may_see_it(wire: Wire) -> None:
    response = wire.get("/" + fresh_name())
    assert response.status_code == 404
    assert response.json()["error"] == "not_found"


def test_making_a_database_twice_is_file_exists(db: WireDatabase) -> None:
    response = db.put()
    assert (response.status_code, response.json()["error"]) == (412, "file_exists")


@pytest.mark.parametrize("name", ["Upper", "1st", "a.b", "%C3%A9", "-x", "_x", "a" + "%2F" * 99])
def test_a_bad_name_is_illegal_database_name(wire: Wire, name: str) -> None:
    response = wire.put("/" + name)
    assert response.status_code == 400
    assert response.json()["error"] == "illegal_database_name"


def test_a_deleted_database_is_gone(wire: Wire) -> None:
    database = WireDatabase(wire, fresh_name())
    assert database.put().status_code == 201
    assert database.delete().status_code == 200
    assert database.get().status_code == 404


def test_a_database_is_not_deleted_where_a_document_was_meant(db: WireDatabase) -> None:
    rev = db.save("kept")
    for path in (f"?rev={rev}", f"/?rev={rev}"):
        assert db.delete(path).status_code == 400
    assert db.json("/kept")["_rev"] == rev


@pytest.mark.extension
def test_without_access_a_database_is_401_or_403_never_404(
    anonymous: Wire, member: Wire, db: WireDatabase
) -> None:
    for path in (db.path, "/" + fresh_name(), db.path + "/doc", db.path + "/_changes"):
        assert anonymous.get(path).status_code == 401
        assert member.get(path).status_code == 403
    assert member.get("/" + MEMBERS_DATABASE).status_code == 200


@pytest.mark.extension
def test_only_admins_make_delete_and_tend_databases(member: Wire) -> None:
    assert member.put("/" + fresh_name()).status_code == 403
    assert member.delete("/" + MEMBERS_DATABASE).status_code == 403
    assert member.get("/_all_dbs").status_code == 403
    tending = [
        ("PUT", "_security"),
        ("PUT", "_revs_limit"),
        ("POST", "_compact"),
        ("POST", "_purge"),
        ("POST", "_find"),
        ("GET", "_index"),
    ]
    for method, name in tending:
        response = member(method, f"/{MEMBERS_DATABASE}/{name}", json={"selector": {}})
        assert response.status_code == 403, name


def test_ensure_full_commit_answers_the_instance_start_time(db: WireDatabase) -> None:
    response = db.post("/_ensure_full_commit", headers={"Content-Type": "application/json"})
    assert response.status_code == 201
    assert response.json() == {
        "ok": True,
        "instance_start_time": db.json()["instance_start_time"],
    }


def test_all_databases_are_listed_for_admins(wire: Wire, db: WireDatabase) -> None:
    assert db.name in wire.get("/_all_dbs").json()


def test_server_answers_up_and_uuids(wire: Wire) -> None:
    assert wire.get("/_up").json()["status"] == "ok"
    uuids = wire.get("/_uuids?count=3").json()["uuids"]
    assert len(set(uuids)) == 3 and all(len(uuid) == 32 for uuid in uuids)


def test_revs_limit_is_read_and_set(db: WireDatabase) -> None:
    assert db.json("/_revs_limit") == 1000
    assert db.put("/_revs_limit", data="7").json() == {"ok": True}
    assert db.json("/_revs_limit") == 7


@pytest.mark.extension
@pytest.mark.parametrize("body", ["0", "-1", '"x"', "{}", "1.5"])
def test_a_revs_limit_that_is_no_positive_integer_is_400(db: WireDatabase, body: str) -> None:
    assert db.put("/_revs_limit", data=body).status_code == 400
    assert db.json("/_revs_limit") == 1000


def test_security_round_trips(db: WireDatabase) -> None:
    security = {"admins": {"names": [], "roles": ["_admin"]}, "members": {"names": [], "roles": []}}
    assert db.put("/_security", json=security).json() == {"ok": True}
    assert db.json("/_security") == security


def test_compaction_is_accepted(db: WireDatabase) -> None:
    response = db.post("/_compact", headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()) == (202, {"ok": True})


def test_purged_revisions_are_gone_and_count_as_known(db: WireDatabase) -> None:
    db.graft(revision("d", B, A))
    response = db.post("/_purge", json={"d": [f"2-{B}"]})
    assert response.status_code == 201
    assert response.json()["purged"] == {"d": [f"2-{B}"]}
    assert db.get("/d").status_code == 404


@pytest.mark.extension
def test_an_old_tablet_cannot_bring_a_purged_revision_back(db: WireDatabase) -> None:
    db.graft(revision("d", B, A))
    db.post("/_purge", json={"d": [f"2-{B}"]})
    assert db.post("/_revs_diff", json={"d": [f"2-{B}"]}).json() == {}
