"""What can go wrong on the way from the EHR to the page, as closed codes with words for a clinician and for IT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class LaunchFault(Exception):
    """A launch or page that cannot go on; `code` names a screen, `detail` is a closed label for IT's log."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        if code not in SCREENS:
            raise KeyError(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen of a fault: HTTP status, what happened, what to do, and the line for IT. Never patient data."""

    status: int
    title: str
    said: str
    todo: str
    it: str


_AGAIN = "Open postcart again from the patient's chart."
_ASK_IT = "Ask hospital IT; the line below tells them what to look at."

SCREENS: Mapping[str, Screen] = {
    "no-iss": Screen(
        400,
        "postcart was opened without an EHR",
        "The address did not say which EHR it was opened from.",
        _AGAIN,
        "The launch request has no iss parameter, or more than one.",
    ),
    "bad-iss": Screen(
        400,
        "The EHR's address cannot be read",
        "The address of the EHR in the launch is not well formed. Nothing was sent to it.",
        _ASK_IT,
        "iss has to be an https address without user name, query or fragment.",
    ),
    "unknown-iss": Screen(
        403,
        "This EHR is not registered with postcart",
        "postcart opens for registered EHRs only. Nothing was sent to the address it was opened with.",
        _ASK_IT,
        "No [site.smart] entry has this iss. Compare the iss that the EHR sends with the registration.",
    ),
    "bad-launch": Screen(
        400,
        "The launch from the EHR is not complete",
        "The EHR opened postcart with a launch code that cannot be used.",
        _AGAIN,
        "launch is empty, given twice, or longer than 4,096 characters.",
    ),
    "discovery-down": Screen(
        502,
        "The EHR's sign-in does not answer",
        "postcart asked the EHR where to sign in and got no usable answer in time.",
        "Try again in a minute. If it stays, ask hospital IT.",
        "{iss}/.well-known/smart-configuration: no answer in time, a redirect, an error, or too large.",
    ),
    "discovery-bad": Screen(
        502,
        "The EHR's sign-in cannot be used",
        "The EHR described its sign-in in a way postcart does not accept.",
        _ASK_IT,
        "smart-configuration lacks authorization_endpoint or token_endpoint, or is not JSON.",
    ),
    "endpoint-host": Screen(
        502,
        "The EHR's sign-in points to another server",
        "The EHR named a sign-in server that is not registered for it. Nothing was sent there.",
        _ASK_IT,
        "An endpoint in smart-configuration is not https or not on the FHIR host or in auth_hosts of the site.",
    ),
    "denied": Screen(
        403,
        "The EHR did not let postcart in",
        "Sign-in was refused or cancelled in the EHR. No chart was read.",
        _AGAIN,
        "The authorization server answered access_denied.",
    ),
    "ehr-error": Screen(
        502,
        "The EHR stopped the sign-in",
        "The EHR answered the sign-in with an error. No chart was read.",
        _AGAIN + " If it happens again, ask hospital IT.",
        "The authorization server answered with an error; often scopes or redirect address are not registered.",
    ),
    "state-unknown": Screen(
        400,
        "This sign-in is over",
        "The answer belongs to a sign-in that was used before, took longer than ten minutes, or was never begun.",
        _AGAIN,
        "state is missing, unknown, used or expired.",
    ),
    "cookie-missing": Screen(
        400,
        "The browser kept no cookie for postcart",
        "postcart could not recognise its own browser window after the sign-in, so it does not open the chart.",
        "Hospital IT must allow cookies of postcart inside the EHR's window. Until then, open postcart in a "
        "window of its own, if your EHR offers that.",
        "The cookie is __Host-, Secure, SameSite=None and Partitioned. Allow partitioned (CHIPS) or third-party "
        "cookies for postcart's address under the EHR's address; in Chromium policy: CookiesAllowedForUrls or "
        "BlockThirdPartyCookies off; embedded controls must not run with cookies disabled.",
    ),
    "iss-mismatch": Screen(
        400,
        "The sign-in came from another server",
        "The answer to the sign-in names another server than the one postcart was opened from.",
        _AGAIN,
        "The iss parameter of the authorization response is not the issuer in smart-configuration (RFC 9207).",
    ),
    "token-down": Screen(
        502,
        "The EHR's sign-in does not answer",
        "The last step of the sign-in got no usable answer in time.",
        _AGAIN,
        "Token endpoint: no answer in time, a redirect, too large, or not JSON.",
    ),
    "token-refused": Screen(
        502,
        "The EHR refused the last step of the sign-in",
        "The EHR did not accept postcart's sign-in code. No chart was read.",
        _AGAIN,
        "Token endpoint answered with an error (invalid_grant or another).",
    ),
    "client-refused": Screen(
        502,
        "The EHR does not accept postcart's own proof",
        "The EHR does not recognise this installation of postcart. No chart was read.",
        _ASK_IT,
        "Token endpoint answered invalid_client: compare client_id, secret or registered key set, and the clocks.",
    ),
    "token-bad": Screen(
        502,
        "The EHR's sign-in answer cannot be used",
        "The EHR answered the sign-in in a form postcart does not accept.",
        _ASK_IT,
        "Token response: access_token missing or odd, or token_type is not Bearer.",
    ),
    "own-key": Screen(
        500,
        "postcart cannot prove itself to the EHR",
        "This installation of postcart lacks the key or secret for this EHR.",
        _ASK_IT,
        "No key of the registered algorithm in key_dir (postcart keys new), or secret_file cannot be read.",
    ),
    "no-patient": Screen(
        400,
        "No patient is open",
        "The EHR did not say whose chart to read.",
        "Open a patient's chart first, then postcart.",
        "Token response has no patient; the app needs the launch or launch/patient context.",
    ),
    "id-token-bad": Screen(
        502,
        "The EHR's statement of who is signed in cannot be trusted",
        "postcart could not verify who signed in. No chart was read.",
        _ASK_IT,
        "id_token: signature, issuer, audience, time, nonce or key could not be verified.",
    ),
    "not-clinician": Screen(
        403,
        "postcart is for health professionals",
        "The EHR says that the person signed in is a patient or a relative.",
        "Please speak with the treating team.",
        "fhirUser is Patient or RelatedPerson.",
    ),
    "not-found": Screen(
        404,
        "This page is closed",
        "It was closed, timed out, or belongs to another browser window.",
        _AGAIN,
        "Unknown workspace, or its cookie is missing or another one.",
    ),
    "ended": Screen(
        410,
        "The EHR has ended this session",
        "The EHR no longer lets postcart read this chart, so the page was cleared.",
        _AGAIN,
        "Refresh was refused (invalid_grant), or the workspace reached its absolute end.",
    ),
    "signed-out": Screen(
        409,
        "The sign-in at the EHR has run out",
        "The chart cannot be read again with it. What was read before stays on the page you came from.",
        "Go back to that page, or open postcart again from the EHR.",
        "The access token has expired and the EHR gave no refresh token.",
    ),
    "wrong-patient": Screen(
        409,
        "The EHR sent another patient's record",
        "The patient record that came is not the one this page was opened for. Nothing of it is shown.",
        _ASK_IT,
        "Patient read by id gave another id than the launch context.",
    ),
    "not-in-chart": Screen(
        404,
        "This record is not among those read",
        "It may have changed in the EHR, or the chart is being read again.",
        "Go back to the page and read the chart again.",
        "The resource is not in the workspace's memory of this worker.",
    ),
    "forged-form": Screen(
        403,
        "This action did not come from postcart's page",
        "The request was not made from the page that is open, so nothing was done.",
        "Reload the page and try again.",
        "CSRF token, Origin or Sec-Fetch-Site does not fit.",
    ),
    "bad-form": Screen(
        400,
        "This cannot be taken in",
        "What was sent is not complete or not one of the choices.",
        "Go back and choose again.",
        "A form field is missing, unknown or too long.",
    ),
    "not-ready": Screen(
        409,
        "The chart is still being read",
        "There is nothing to show of this yet.",
        "Wait until the page has read the chart.",
        "No evaluation yet in this worker.",
    ),
    "not-admin": Screen(
        403,
        "This page is for hospital IT",
        "It opens only from registered machines.",
        "Ask hospital IT.",
        "The caller's address is not in admin_addresses.",
    ),
    "store-down": Screen(
        503,
        "postcart cannot keep the sign-in",
        "The database does not answer. No chart was read.",
        "Try again in a minute. If it stays, ask hospital IT.",
        "The workspace store raised a fault.",
    ),
    "unforeseen": Screen(
        500,
        "postcart has a fault",
        "The page could not be made. Nothing is said about the patient.",
        _AGAIN + " If it happens again, ask hospital IT.",
        "An unforeseen error; see the log line with this request id.",
    ),
}
