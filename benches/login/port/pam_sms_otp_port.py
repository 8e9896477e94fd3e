"""The flow of pam_sms_otp for pam_python: a password in LDAP, then a code by SMS.

It follows Gluu's twilio_sms script, with ldap3 and Twilio's library, each used as its documentation
shows. Usage: auth required pam_python.so /path/pam_sms_otp_port.py /path/settings.ini
"""

import configparser
import hmac
import random
import ssl
import syslog

from ldap3 import NONE, SUBTREE, Connection, Server, Tls
from ldap3.core.exceptions import LDAPException
from ldap3.utils.conv import escape_filter_chars
from twilio.base.exceptions import TwilioException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

TIMEOUT = 20


def prompt(pamh, text):
    message = pamh.Message(pamh.PAM_PROMPT_ECHO_OFF, text)
    return pamh.conversation(message).resp


def find_phone(settings, user, password):
    """Return the verified phone of a user with the right password, or None."""
    # An empty password would be an anonymous bind, which succeeds.
    if not password:
        return None
    tls = Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=settings["ca"])
    # Without get_info, ldap3 would read the server's schema first.
    server = Server(settings["uri"], tls=tls, connect_timeout=TIMEOUT, get_info=NONE)
    connection = Connection(
        server,
        user=settings["bind_dn"],
        password=settings["bind_password"],
        receive_timeout=TIMEOUT,
    )
    if not connection.bind():
        raise LDAPException("the service account cannot bind")
    connection.search(
        settings["base"],
        "(uid=%s)" % escape_filter_chars(user),
        search_scope=SUBTREE,
        attributes=["phoneNumberVerified", "mobile"],
    )
    if len(connection.entries) != 1:
        connection.unbind()
        return None
    entry = connection.entries[0]
    is_bound = connection.rebind(user=entry.entry_dn, password=password)
    connection.unbind()
    if not is_bound or entry.phoneNumberVerified.value not in (True, "TRUE"):
        return None
    return entry.mobile.value


def send(settings, phone, code):
    http_client = TwilioHttpClient(timeout=TIMEOUT)
    http_client.session.verify = settings["ca"]
    client = Client(settings["sid"], settings["token"], http_client=http_client)
    client.api.base_url = settings["url"]
    client.messages.create(
        to=phone,
        from_=settings["from"],
        body="%s is your code to log in." % code,
    )


def pam_sm_authenticate(pamh, flags, argv):
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(argv[1])
    user = pamh.get_user(None)
    password = prompt(pamh, "Password: ")
    try:
        phone = find_phone(settings["ldap"], user, password)
        if phone is None:
            return pamh.PAM_AUTH_ERR
        code = str(random.SystemRandom().randint(100000, 999999))
        send(settings["twilio"], phone, code)
    except (LDAPException, TwilioException, OSError) as error:
        syslog.syslog(syslog.LOG_AUTHPRIV | syslog.LOG_ERR, "%s: %s" % (user, error))
        return pamh.PAM_AUTHINFO_UNAVAIL
    answer = prompt(pamh, "Code: ")
    if answer and hmac.compare_digest(answer.strip(), code):
        return pamh.PAM_SUCCESS
    return pamh.PAM_AUTH_ERR


def pam_sm_setcred(pamh, flags, argv):
    return pamh.PAM_SUCCESS
