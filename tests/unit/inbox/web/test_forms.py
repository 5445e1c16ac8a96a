"""What forms change, and what they are refused for."""

from __future__ import annotations

import pytest

from tests.unit.inbox.web.asking import Client

FORMS = ("/delete", "/read", "/m/1/delete", "/m/1/mark", "/m/1/release", "/faults")


def test_deleting_and_marking(client: Client) -> None:
    ids = [client.deliver() for _ in range(6)]
    store = client.inbox.store
    assert client.form(f"/m/{ids[0]}/mark", {"seen": "1"}).fields["location"] == f"/m/{ids[0]}"
    assert store.row(ids[0]).seen  # type: ignore[union-attr]
    assert client.form(f"/m/{ids[0]}/mark", {"seen": "0"}).status == 303
    assert store.count("is:unread") == 6
    assert client.form("/read", {"id": ids[:2]}).status == 303
    assert store.count("is:unread") == 4
    assert client.form("/read").fields["location"] == "/"
    assert store.count("is:unread") == 0
    assert client.form(f"/m/{ids[0]}/delete").status == 303
    assert client.form("/delete", {"id": ids[1:3]}).status == 303
    assert store.count() == 3
    assert client.form("/delete").status == 400 and store.count() == 3
    assert client.form("/delete", {"all": "1"}).status == 303 and store.count() == 0
    assert client.form("/m/1/mark", {"seen": "1"}).status == 404


def test_a_form_of_ours_that_tells_no_referrer_is_still_ours(client: Client) -> None:
    client.deliver()
    assert client.form("/delete", {"all": 1}, Origin="null", Sec_Fetch_Site="cross-site").status == 403
    assert client.form("/delete", {"all": 1}, Origin="null").status == 303 and client.inbox.store.count() == 0


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("token", ["", "x", "x" * 32, "\u2603", "\x00"])
def test_a_form_without_the_token_changes_nothing(path: str, token: str, shared: Client) -> None:
    answer = shared.form(path, {"id": 1, "all": 1, "seen": 1}, token)
    assert answer.status == 403 and "Load the page anew" in answer.text
    assert shared.inbox.store.count("is:unread") == 1


def test_the_token_of_another_server_is_none(client: Client, shared: Client) -> None:
    assert client.csrf() != shared.csrf()
    assert client.form("/delete", {"all": "1"}, shared.csrf()).status == 403


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/json", ""])
def test_a_body_of_another_type_is_no_form(path: str, kind: str, shared: Client) -> None:
    assert shared.form(path, Content_Type=kind).status == 415


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"csrf=%FF", 400), (b"\xff", 400), (b"&".join([b"id=1"] * 2000), 400), (b"x=" + b"y" * 70_000, 413), (b"", 403)],
)
def test_forms_that_can_not_be_read(body: bytes, status: int, shared: Client) -> None:
    kind = {"Content_Type": "application/x-www-form-urlencoded", "Sec_Fetch_Site": "same-origin"}
    assert shared.ask("/delete", "POST", body, **kind).status == status


def test_ids_of_a_form_that_are_none_delete_nothing(shared: Client) -> None:
    for id in ("x", "-1", "", "1,2", "9" * 40):
        assert shared.form("/delete", {"id": [1, id], "all": 1}).status == 404
    assert shared.inbox.store.count() == 1


def test_a_person_gets_a_page_that_says_what_to_do(shared: Client) -> None:
    answer = shared.ask("/m/999", Accept="text/html,*/*;q=0.8")
    assert answer.status == 404 and answer.fields["content-type"].startswith("text/html")
    assert "There is no message 999." in answer.text
    assert shared.ask("/m/999").text == "There is no message 999. It was deleted, or had to make room for newer ones.\n"
    odd = shared.ask("/%3Cscript%3Ealert(1)%3C/script%3E", Accept="text/html")
    assert odd.status == 404 and "alert(1)" not in odd.text
