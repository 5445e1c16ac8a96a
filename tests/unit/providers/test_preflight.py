"""What is put right or refused before anything is connected."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwright.providers import catalog
from mailwright.providers.preflight import mail_remarks, prepared, right_password, user_remarks
from mailwright.providers.provider import Provider
from mailwright.words.errors import ConfigError, MessageError
from mailwright.words.server import Login, Server

ADA = Login("ada.lovelace@gmail.com", "qwmxzkptaabbccdd")


def provider(name: str) -> Provider:
    (found,) = catalog.named(name)
    return found


def place(server: Server) -> tuple[str, int, str]:
    return server.host, server.port, server.security


# Host names


@pytest.mark.parametrize(
    ("host", "user", "right"),
    [
        ("smtp.live.com", "", "smtp-mail.outlook.com"),
        ("outlook.office365.com", "ada@firm.org", "smtp.office365.com"),
        ("smtp.outlook.com", "", "smtp-mail.outlook.com"),
        ("imap.gmail.com", "ada@gmail.com", "smtp.gmail.com"),
        ("smtp.google.com", "ada@firm.org", "smtp.gmail.com"),
        ("aspmx.l.google.com", "", "smtp.gmail.com"),
        ("smtp.yahoo.com", "ada@yahoo.com", "smtp.mail.yahoo.com"),
        ("smtp.icloud.com", "ada@icloud.com", "smtp.mail.me.com"),
        ("smtp.sendgrid.com", "apikey", "smtp.sendgrid.net"),
        ("email.us-east-1.amazonaws.com", "AKIA", "email-smtp.us-east-1.amazonaws.com"),
    ],
)
def test_a_wrong_name_is_replaced_and_said(host: str, user: str, right: str) -> None:
    done = prepared(Server(host, login=Login(user, "pw") if user else None), ())
    assert done.server.host == right and "host" in done.decided
    (remark,) = done.remarks
    assert remark.startswith(f"{host} is not the server to send through: ") and f"Using {right}." in remark


def test_personal_mailboxes_of_microsoft_get_their_own_host() -> None:
    token = Login("ada@hotmail.com", token="t")
    assert prepared(Server("outlook.office365.com", login=token), ()).server.host == "smtp-mail.outlook.com"


@pytest.mark.parametrize("host", ["smtp.googlemail.com", "smtp-relay.sendinblue.com", "smtp.1und1.de"])
def test_an_old_name_that_works_is_left(host: str) -> None:
    done = prepared(Server(host))
    assert done.server.host == host and done.remarks == ()


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("smtp.protonmail.com", "needs its Bridge"),
        ("smtp.tutanota.com", "Tuta offers no SMTP"),
        ("firm-org.mail.protection.outlook.com", "receives mail for one organisation"),
        ("smtp.orange.com", "probably not the server"),
        ("gmail.com", "stands behind the @ of addresses.*Use smtp.gmail.com"),
        ("proton.me", "stands behind the @.*mailwright providers proton"),
    ],
)
def test_a_name_that_nothing_replaces_is_refused(host: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        prepared(Server(host, login=ADA))


def test_direct_sending_to_a_tenant_is_no_mistake() -> None:
    server = Server("firm-org.mail.protection.outlook.com", 25)
    assert prepared(server).server == server


def test_a_host_that_is_a_domain_as_well() -> None:
    assert place(prepared(Server("posteo.de"), ()).server) == ("posteo.de", 465, "tls")


# Port and security


@pytest.mark.parametrize(
    ("server", "said", "right", "decided"),
    [
        (Server("smtp.gmail.com"), (), (465, "tls"), {"port", "security"}),
        (Server("smtp-mail.outlook.com"), (), (587, "starttls"), {"port", "security"}),
        (Server("smtp.gmail.com", 587), ("port",), (587, "starttls"), {"security"}),
        (Server("smtp.gmail.com", 465), ("port",), (465, "tls"), {"security"}),
        (Server("smtp.gmail.com", security="starttls"), ("security",), (587, "starttls"), {"port"}),
        (Server("mobile.charter.net", 587), ("port",), (587, "tls"), {"security"}),
        (Server("sandbox.smtp.mailtrap.io", 465), ("port",), (465, "starttls"), {"security"}),
        (Server("mail.smtp2go.com", 443), ("port",), (443, "tls"), {"security"}),
        (Server("smtp.sendgrid.net", 2525), ("port", "security"), (2525, "starttls"), set()),
        (Server("smtp.gmail.com", 465, "tls"), ("port", "security"), (465, "tls"), set()),
        (Server("smtp.gmail.com", 2525, "starttls"), ("port", "security"), (2525, "starttls"), set()),
    ],
)
def test_what_is_left_open_follows_the_provider(
    server: Server, said: tuple[str, ...], right: tuple[int, str], decided: set[str]
) -> None:
    done = prepared(server, said)
    assert (done.server.port, done.server.security) == right
    assert set(done.decided) == decided and done.remarks == ()


@pytest.mark.parametrize(
    ("server", "right"),
    [
        (Server("smtp.gmail.com", 587, "tls"), (587, "starttls")),
        (Server("smtp.gmail.com", 465, "starttls"), (465, "tls")),
        (Server("smtp.gmail.com", 465, "none"), (465, "tls")),
        (Server("smtp.gmail.com", 587, "none"), (587, "starttls")),
        (Server("mobile.charter.net", 587, "starttls"), (587, "tls")),
        (Server("sandbox.smtp.mailtrap.io", 465, "tls"), (465, "starttls")),
        (Server("smtp.office365.com", 465, "tls"), (587, "starttls")),
        (Server("smtp.mail.me.com", 465, "tls"), (587, "starttls")),
        (Server("smtp.postmarkapp.com", 465, "tls"), (587, "starttls")),
    ],
)
def test_a_contradiction_is_put_right_with_its_reason(server: Server, right: tuple[int, str]) -> None:
    done = prepared(server)
    assert (done.server.port, done.server.security) == right
    (remark,) = done.remarks
    assert server.host in remark and f"Using port {right[0]} with " in remark
    assert set(done.decided) <= {"port", "security"} and done.decided


def test_a_security_that_the_host_does_not_offer() -> None:
    done = prepared(Server("smtp-mail.outlook.com", security="tls"), ("security",))
    assert (done.server.port, done.server.security) == (587, "starttls")
    assert "offers no TLS from the first byte" in done.remarks[0]


def test_what_is_hardly_known_is_not_corrected() -> None:
    server = Server("smtp.titan.email", 587, "tls")
    assert provider("titan").certainty.smtp == "low" and prepared(server).server == server


def test_nobody_is_led_to_plain_text() -> None:
    for port in (80, 3535):
        for security in ("starttls", "tls"):
            server = Server("smtpout.secureserver.net", port, security)  # type: ignore[arg-type]
            assert prepared(server).server.security == security
    for one in catalog.everything():
        for way in one.endpoints:
            if catalog.by_host(way.host) is not None:
                for said in ((), ("port",), ("security",), ("port", "security")):
                    server = Server(way.host, way.port, "starttls")
                    done = prepared(server, said).server
                    assert "none" not in (done.security, *(security for *_, security in done.alternatives))


def test_the_other_right_way_is_an_alternative() -> None:
    assert prepared(Server("smtp.gmail.com"), ()).server.alternatives == (("smtp.gmail.com", 587, "starttls"),)
    assert prepared(Server("smtp.gmail.com", 587)).server.alternatives == (("smtp.gmail.com", 465, "tls"),)
    assert prepared(Server("smtp-mail.outlook.com")).server.alternatives == ()
    own = Server("smtp.gmail.com", 465, "tls", alternatives=(("smtp.gmail.com", 2525, "starttls"),))
    assert prepared(own).server.alternatives == own.alternatives
    for one in catalog.everything():
        for way in one.endpoints:
            if catalog.by_host(way.host) is not None and way.security != "none":
                done = prepared(Server(way.host, way.port, way.security)).server
                assert {host for host, *_ in done.alternatives} <= {done.host}  # never another host


# Who logs in


@pytest.mark.parametrize("host", ["smtp-mail.outlook.com", "smtp.office365.com", "smtp.live.com"])
def test_where_only_oauth2_is_taken_a_password_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match=r"takes no password from programs.*2024-09-16") as caught:
        prepared(Server(host, login=Login("ada@hotmail.com", "pw")))
    assert caught.value.advice == "Run: mailwright login ada@hotmail.com"
    assert prepared(Server(host, login=Login("ada@hotmail.com", token="t"))).server.login is not None


def test_an_organisation_at_microsoft_may_still_use_one() -> None:
    assert prepared(Server("smtp.office365.com", login=Login("ada@firm.org", "pw"))).remarks == ()


@pytest.mark.parametrize(
    ("host", "user", "word"),
    [("smtp.sendgrid.net", "ada@firm.org", "apikey"), ("smtp.resend.com", "ada", "resend")],
)
def test_a_user_name_that_is_the_same_for_everybody(host: str, user: str, word: str) -> None:
    with pytest.raises(ConfigError, match=f"is the word {word}"):
        prepared(Server(host, login=Login(user, "pw")))
    assert prepared(Server(host, login=Login(word, "pw"))).provider is not None


@pytest.mark.parametrize("user", ["your_email@gmail.com", "you@example.com", "<your email>"])
def test_a_placeholder_for_the_user_is_refused_by_name(user: str) -> None:
    with pytest.raises(ConfigError) as caught:
        prepared(Server("smtp.gmail.com", login=Login(user, "pw")))
    assert user in str(caught.value) and "the address that you have at G" in caught.value.advice


def test_user_names_that_look_wrong() -> None:
    assert "whole address" in user_remarks(provider("gmail"), "ada")[0]
    assert "is an address of Yahoo" in user_remarks(provider("gmail"), "ada@yahoo.com")[0]
    for name, user in (
        ("gmail", "ada@gmail.com"), ("gmail", "ada@firm.org"), ("web-de", "ada"), ("sendgrid", "apikey"),
        ("yahoo", "ada@cox.net"), ("mailgun", "ada@gmail.com"), ("google-workspace", "ada@gmail.com"),
    ):  # fmt: skip
        assert user_remarks(provider(name), user) == ()


# The password


BLANKS = [" ", "\u00a0", "\u202f", "\u2007", "\u3000", "\t", "\u200b", "\ufeff", "\r\n"]


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
@pytest.mark.parametrize("name", ["gmail", "yahoo", "qq"])
def test_grouping_blanks_are_removed_where_all_passwords_are_generated(name: str, blank: str) -> None:
    grouped = f"{blank}qwmx{blank}zkpt{blank}aabb{blank}ccdd{blank}"
    assert right_password(provider(name), grouped) == ("qwmxzkptaabbccdd", ())


@given(st.text(min_size=1, max_size=40))
def test_an_ordinary_password_is_never_altered(password: str) -> None:
    try:
        assert right_password(provider("gandi"), password) == (password, ())
        assert right_password(provider("web-de"), password) == (password, ())
    except ConfigError as refused:
        assert "placeholder" in str(refused)


@pytest.mark.parametrize(
    ("name", "password"),
    [("gmail", "Tr0ub4dor&3"), ("google-workspace", "QWMXzkptaabbccdd"), ("yahoo", "hunter22"), ("icloud", "Xyz-1"),
     ("ses", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz")],
)  # fmt: skip
def test_a_wrong_shape_is_warned_of_and_not_shown(name: str, password: str) -> None:
    same, (remark,) = right_password(provider(name), password)
    assert same == password and "does not look like" in remark and "Make one at https://" in remark
    assert password not in remark


@pytest.mark.parametrize(("name", "password"), [("icloud", "qwmx-zkpt-aabb-ccdd"), ("icloud", "qwmxzkptaabbccdd")])
def test_a_right_shape(name: str, password: str) -> None:
    assert right_password(provider(name), password) == (password, ())


@pytest.mark.parametrize("password", ["YOUR_16_CHAR_APP_PASSWORD", "<password>", "xxxx xxxx xxxx xxxx", "app-password"])
def test_a_placeholder_for_the_password_is_refused_by_name(password: str) -> None:
    with pytest.raises(ConfigError) as caught:
        right_password(provider("gmail"), password)
    assert password in str(caught.value) and "https://myaccount.google.com/apppasswords" in caught.value.advice


# The message


def measured(name: str, **given: Any) -> tuple[str, ...]:
    facts = {"size": 1000, "recipients": 1, "sender": "ada@gmail.com", "user": "ada@gmail.com"} | given
    return mail_remarks(provider(name), **facts)


def test_limits_that_are_well_known_are_kept() -> None:
    assert measured("gmail", recipients=100, size=25 << 20) == ()
    with pytest.raises(MessageError, match="at most 100 recipients for one message, and there are 101"):
        measured("gmail", recipients=101)
    with pytest.raises(MessageError, match="at most 25 MB, and the message has 35.0 MB"):
        measured("gmail", size=35 << 20)


def test_limits_that_are_not_well_known_are_warned_of() -> None:
    assert provider("yahoo").certainty.limits == "low"
    (remark,) = measured("yahoo", recipients=101)
    assert "at most 100 recipients" in remark
    (remark,) = measured("gmail", size=30 << 20)  # some count before base64, some behind it
    assert "at most 25 MB" in remark and "Send a link" in remark
    assert measured("gandi", recipients=10_000, size=1 << 30) == ()  # unknown is not unlimited, and not a limit


def test_another_sender_where_that_is_refused() -> None:
    (remark,) = measured("gmx-net", sender="bob@gmx.de", user="ada@gmx.de")
    assert "bob@gmx.de is not ada@gmx.de" in remark
    for sender, user in (("Ada@gmx.de", "ada@gmx.de"), ("", "ada@gmx.de"), ("bob@gmx.de", "")):
        assert measured("gmx-net", sender=sender, user=user) == ()
    assert measured("gmail", sender="bob@firm.org") == ()
