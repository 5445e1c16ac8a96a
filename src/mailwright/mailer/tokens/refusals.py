"""What the refusal of an authorisation server means, and what to do: data, from the providers' own lists of errors.

Codes are those of RFC 6749 §5.2 and §4.1.2.1, RFC 8628 §3.5, and the providers' own; Microsoft says the real reason in
the description, by a number after ``AADSTS``.
"""

from __future__ import annotations

from mailwright.mailer.tokens.grants import ClientCredentials, ServiceAccount
from mailwright.words.errors import LoginError
from mailwright.words.reply import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailwright.mailer.tokens.endpoint import Answer
    from mailwright.mailer.tokens.grants import Grant

_AGAIN = "Run: mailwright login {user}"
_KIND_OF_CLIENT = (
    "Make a client that may: of the type “Desktop app” at Google, with “public client flows” allowed at Microsoft."
)
_CLIENT = "Check the client id and its secret in the provider's console; a client that was deleted does not come back."

#: Code, words in the description (lower case), what that means, what to do. The first row that fits counts.
_MEANINGS = (
    # Microsoft Entra
    ("", "aadsts7000215", "the client secret is wrong", "Copy the secret's value, not its id."),
    ("", "aadsts7000222", "the client secret has expired", "Make a new one in the app registration, and log in again."),
    (
        "",
        "aadsts7000218",
        "the app is not registered as a public client",
        "Set “Allow public client flows” in the app registration, under Authentication, or give the client's secret.",
    ),
    ("", "aadsts700016", "the tenant knows no client of this id", "Check the client id and the tenant."),
    ("", "aadsts90002", "there is no such tenant", "Give the organisation's id, or a domain of it, as --tenant."),
    ("", "aadsts700082", "the consent was not used for too long", _AGAIN),
    ("", "aadsts50173", "the password was changed, or the sessions were ended, after the consent", _AGAIN),
    ("", "aadsts50076", "the organisation now asks for a second factor", _AGAIN),
    ("", "aadsts50079", "the organisation now asks for a second factor", _AGAIN),
    (
        "",
        "aadsts53003",
        "a Conditional Access policy blocks it",
        "Ask the administrator which policy it is; the sign-in log of the account names it.",
    ),
    (
        "",
        "aadsts65001",
        "nobody consented to these permissions",
        "Run mailwright login {user} again, or let an administrator consent for the organisation.",
    ),
    ("", "aadsts65004", "consent was denied", "Run mailwright login {user} again, and accept what is asked for."),
    ("", "aadsts50020", "the account is not one of this tenant", "Check the address and --tenant."),
    ("", "aadsts50034", "there is no such account in this tenant", "Check the address and --tenant."),
    ("", "aadsts50057", "the account is disabled", "Ask the administrator."),
    # Google
    ("invalid_grant", "invalid jwt signature", "the key is not, or no more, one of this robot's", "Make a new key."),
    (
        "invalid_grant",
        "short-lived token",
        "the clock of this machine is wrong",
        "Set it, by NTP for example; a signed claim is good for an hour.",
    ),
    (
        "invalid_grant",
        "invalid email",
        "the mailbox to act as does not exist in the domain",
        "Check the address; a robot can't act for personal accounts.",
    ),
    (
        "invalid_grant",
        "rapt",
        "the organisation asks to log in again after some hours",
        "Run mailwright login {user} again; an administrator can exempt the app from session control.",
    ),
    ("deleted_client", "", "the client was deleted", _CLIENT),
    ("disabled_client", "", "the client is disabled", _CLIENT),
    (
        "org_internal",
        "",
        "the app is for one organisation only",
        "Use an account of that organisation, or make the app external in its consent screen.",
    ),
    ("admin_policy_enforced", "", "the organisation does not allow this app", "Ask its administrator to trust it."),
    (
        "redirect_uri_mismatch",
        "",
        "the client may not redirect to this machine",
        "Register a client of the type “Desktop app”.",
    ),
    # Everybody
    ("access_denied", "", "consent was denied", "Run mailwright login {user} again, and accept what is asked for."),
    (
        "authorization_declined",
        "",
        "consent was denied",
        "Run mailwright login {user} again, and accept what is asked for.",
    ),
    ("expired_token", "", "nobody entered the code in time", _AGAIN),
    ("code_expired", "", "nobody entered the code in time", _AGAIN),
    ("invalid_client", "", "the client is not known, or its secret is wrong", _CLIENT),
    (
        "unauthorized_client",
        "",
        "the client may not ask in this way",
        _KIND_OF_CLIENT,
    ),
    ("invalid_scope", "", "the client may not ask for access to mail", "Add the permission to the client's consent."),
    ("unsupported_grant_type", "", "it does not know this way to ask", "Check the URL of the token endpoint."),
    ("consent_required", "", "nobody consented to these permissions", _AGAIN),
    ("interaction_required", "", "somebody has to log in again", _AGAIN),
    ("login_required", "", "somebody has to log in again", _AGAIN),
)

#: What ``invalid_grant`` means when nothing else says so, by what was asked with.
_CONSENT_ENDED = (
    "the stored consent does not count any more",
    """Run mailwright login {user} again: a consent ends when the password is changed, when it is revoked, after six \
months without use, and after 7 days while the consent screen of a Google project is in “Testing”.""",
)
_CODE_VOID = ("the code of the consent was used before or is too old", _AGAIN)
_CLAIM_VOID = (
    "the signed claim is not accepted",
    "Check that the robot's key is still there, that the mailbox exists, and that this machine's clock is right.",
)
_NOT_DELEGATED = (
    "the robot may not act for users of the domain",
    """In Google's Admin console, under API controls, give its client id domain-wide delegation for \
https://mail.google.com/; it takes up to a day until that counts.""",
)
_NO_APP_ACCESS = (
    "the app may not send mail by itself",
    "An administrator has to grant the application permission SMTP.SendAsApp of Office 365 Exchange Online.",
)


def refusal(answer: Answer, grant: Grant | None, user: str) -> LoginError:
    """The error for a refusal. `grant` is what was asked with, `None` for the code of a consent; `user` is for whom."""
    meaning, advice = "it can't at the moment", "Try again later."
    if not answer.temporary:
        meaning, advice = _explained(answer.error, answer.description.lower(), grant)
    return _denied(answer.place, meaning, advice, answer.error, answer.description, user, answer.temporary)


def _denied(
    place: str, meaning: str, advice: str, error: str, description: str, user: str, temporary: bool = False
) -> LoginError:
    """The error that nothing was granted, in our words and in those of the server."""
    theirs = f"{error}: {description}" if description else error
    return LoginError(
        f"{place} gave no access token: {meaning} ({theirs.rstrip('.')}).",
        advice.replace("{user}", visible(user or "ADDRESS", 100)),
        phase="auth",
        temporary=temporary,
    )


def page_refusal(error: str, description: str, place: str, user: str) -> LoginError:
    """The error for a refusal that came back from the page on which somebody should have consented."""
    meaning, advice = _explained(error, description.lower(), None)
    temporary = error in ("temporarily_unavailable", "server_error")
    return _denied(place, meaning, "Try again later." if temporary else advice, error, description, user, temporary)


def _explained(error: str, description: str, grant: Grant | None) -> tuple[str, str]:
    for code, words, meaning, advice in _MEANINGS:
        if code in ("", error) and words in description:
            if code == "unauthorized_client" and isinstance(grant, ServiceAccount):
                return _NOT_DELEGATED
            if code == "unauthorized_client" and isinstance(grant, ClientCredentials):
                return _NO_APP_ACCESS
            return meaning, advice
    if error == "invalid_grant":
        return _CODE_VOID if grant is None else _CLAIM_VOID if isinstance(grant, ServiceAccount) else _CONSENT_ENDED
    return "it refuses", "Look the code up in the provider's documentation, and check the client's settings there."
