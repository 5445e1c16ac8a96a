"""Programs that use smtplib or aiosmtplib: what they are told, and what `explain` makes of it."""

from __future__ import annotations

import asyncio
import gc
import smtplib
import ssl
import traceback
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import aiosmtplib
import pytest

from mailwright import Inbox, explain

DISCONNECTED = (smtplib.SMTPServerDisconnected, aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError)
#: Fault, kinds that are right, and what the server's words leave in the exception's text.
ROWS = [
    ("greeting", {"greeting-421"}, "Service not available"),
    ("greeting '554 No service'", {"greeting-554"}, "No service"),
    ("drop greeting", {"closed-at-greeting"}, ""),
    ("drop ehlo", {"closed-before-starttls", "closed-at-greeting"}, ""),
    ("starttls_refused", {"starttls-temporary"}, "TLS not available"),
    ("hides STARTTLS", {"starttls-not-offered"}, "STARTTLS"),
    ("certificate expired", {"cert-expired"}, "expired"),
    ("certificate self-signed", {"cert-self-signed"}, "self"),
    ("certificate wrong-name", {"cert-hostname-mismatch"}, "mismatch"),
    ("certificate unknown-authority", {"cert-no-issuer"}, "issuer"),
    ("garbage_for_tls", {"tls-on-starttls-port"}, ""),
    ("hides AUTH", {"auth-not-offered"}, "AUTH"),
    ("says gmail 'wrong password'", {"gmail-535-bad"}, "not accepted"),
    ("says gmail 'app password wanted'", {"gmail-534-app-password"}, "Application-specific"),
    ("says gmail 'too many logins'", {"auth-too-many"}, "Too many"),
    ("says microsoft 'passwords disabled'", {"ms-basic-disabled"}, "basic authentication is disabled"),
    ("says yahoo 'wrong password'", {"yahoo-auth005"}, "AUTH005"),
    ("drop auth", {"closed-at-auth"}, ""),
    ("says gmail 'no login'", {"auth-required-mail"}, "Authentication Required"),
    ("goodbye", {"generic-421-470"}, "Closing connection"),
    ("quota", {"mailbox-full"}, "Mailbox full"),
    ("greylisting", {"greylist"}, "Greylisted"),
    ("too_big", {"too-big"}, "too big"),
    ("disk_full", {"accept-then-452"}, "storage"),
    ("says gmail 'daily limit'", {"gmail-daily-limit"}, "Daily user sending limit"),
    # Both libraries say the same words wherever the connection ends, so that the traceback alone tells the place.
    ("drop starttls", {"closed-before-starttls"}, ""),
    ("drop mail", {"closed-at-envelope"}, ""),
    ("drop mail reset", {"closed-at-envelope"}, ""),
    ("drop rcpt", {"closed-at-envelope"}, ""),
    ("drop data", {"closed-at-data", "lost-after-content"}, ""),
    ("in_content", {"closed-at-data"}, ""),
    ("after_dot", {"closed-at-data", "lost-after-content"}, ""),
    ("after_dot reset", {"closed-at-data", "lost-after-content"}, ""),
]
#: Where the server says nothing more, and which kind that is.
SILENT = [
    ("drop greeting silence", "greeting-timeout"),
    ("drop ehlo silence", "timeout-in-talk"),
    ("drop auth silence", "timeout-at-auth"),
    ("drop mail silence", "timeout-in-talk"),
    ("after_dot silence", "timeout-at-content"),
]


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ada@example.org", "grace@example.net", "Hello"
    message.set_content("Hi!")
    return message


def with_smtplib(inbox: Inbox, patience: float = 20) -> None:
    context = ssl.create_default_context(cafile=inbox.server.tls.ca_file)
    with smtplib.SMTP("127.0.0.1", inbox.server.port, timeout=patience) as client:
        client.starttls(context=context)
        client.login("ada", "correct horse")
        client.send_message(mail())


def with_aiosmtplib(inbox: Inbox, patience: float = 20) -> None:
    context = ssl.create_default_context(cafile=inbox.server.tls.ca_file)

    async def send() -> None:
        await aiosmtplib.send(
            mail(),
            hostname="127.0.0.1",
            port=inbox.server.port,
            start_tls=True,
            username="ada",
            password="correct horse",
            tls_context=context,
            timeout=patience,
        )

    asyncio.run(send())


@pytest.fixture(scope="module")
def inbox() -> Iterator[Inbox]:
    with Inbox(login=("ada", "correct horse")) as opened:
        yield opened


def failure_of(client: Callable[[Inbox], None], inbox: Inbox) -> tuple[type[BaseException], str, str]:
    """The class of what was raised, its text, and what kind of failure it is. What the library left open is gone."""
    try:
        with pytest.raises(Exception) as caught:
            client(inbox)
        return caught.type, str(caught.value), explain(caught.value).kind
    finally:
        caught = None  # type: ignore[assignment]
        gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # these libraries leave sockets of failed handshakes to chance
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("client", [with_smtplib, with_aiosmtplib])
@pytest.mark.parametrize(("fault", "kinds", "words"), ROWS, ids=[row[0] for row in ROWS])
def test_what_others_are_told(
    fault: str, kinds: set[str], words: str, client: Callable[[Inbox], None], inbox: Inbox
) -> None:
    with inbox.faults.add(fault) as armed:
        raised, text, kind = failure_of(client, inbox)
        assert armed.fired
    lost = fault.startswith(("drop", "in_content", "after_dot"))
    if lost:
        assert issubclass(raised, DISCONNECTED)
    assert kind in kinds, (raised, text, kind)
    assert words in text


@pytest.mark.parametrize("client", [with_smtplib, with_aiosmtplib])
def test_without_faults_they_are_served(client: Callable[[Inbox], None], inbox: Inbox) -> None:
    inbox.clear()
    client(inbox)
    assert inbox.wait(to="grace@example.net").subject == "Hello"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("client", [with_smtplib, with_aiosmtplib])
@pytest.mark.parametrize(("fault", "kind"), SILENT)
def test_the_step_at_which_nothing_came_any_more_is_told(
    fault: str, kind: str, client: Callable[..., None], inbox: Inbox
) -> None:
    with inbox.faults.add(fault):
        assert failure_of(lambda inbox: client(inbox, 0.5), inbox)[2] == kind


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("client", [with_smtplib, with_aiosmtplib])
@pytest.mark.parametrize("fault", ["drop connect", "drop ehlo", "drop auth", "drop mail", "after_dot"])
def test_a_traceback_that_somebody_pasted_tells_as_much_as_the_exception(
    fault: str, client: Callable[[Inbox], None], inbox: Inbox
) -> None:
    with inbox.faults.add(fault):
        try:
            client(inbox)
        except Exception as error:
            pasted, caught = explain(traceback.format_exc()), explain(error)
    assert pasted.kind == caught.kind and caught.kind.startswith(("closed-", "lost-"))
    gc.collect()


def test_the_last_line_alone_tells_what_it_may_have_been_and_never_to_send_again() -> None:
    for line in ("Connection unexpectedly closed", "aiosmtplib.errors.SMTPServerDisconnected: Unexpected EOF received"):
        told = explain(line)
        said = str(told)
        assert told.retry == "no" and "not tell at which step" in told.what
        assert all(word in said for word in ("port 25", "465", "587", "STARTTLS", "app password", "traceback"))
