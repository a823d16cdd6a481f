"""The first message of a load as it would be sent, for `sipswarm check load`; its tags are used once."""

import secrets
from dataclasses import replace

from sipswarm.sipcore.message.hop import Hop
from sipswarm.sipcore.message.tokens import Tokens
from sipswarm.sipcore.sdp.negotiation import LocalMedia, make_offer
from sipswarm.sipcore.session.invite_session import InviteSession
from sipswarm.sipcore.session.session_config import SessionConfig
from sipswarm.sipcore.transaction.client_exchange import Way
from sipswarm.sipcore.usage.registration import Registration
from sipswarm.sipcore.usage.standalone_request import WITHOUT_CONTACT, StandaloneRequest
from sipswarm.sipcore.usage.subscription import Subscription

from ...agent.own_identity import uri_in
from ...call_worker.account import Account
from ...config import CALL_METHOD, LoadConfig, NodeConfig
from ...handle.media_values import named_codecs
from ...identity import contact_at
from ...load.requests.ends import Shown
from ...load.requests.parties import Parties, Party
from ...load.requests.registrations import REGISTER, registration_of
from ...load.requests.single import settings_of
from ...load.requests.subscriptions import SUBSCRIBE, subscription_of
from ...load.schedule import Share
from ...transport.local_addresses import LocalAddresses


def first_message(config: NodeConfig, hop: Hop, load: LoadConfig) -> bytes:
    """Return the first INVITE or other request of a load.

    Args:
        hop: where it goes.
    """
    build = _first_invite if load.method == CALL_METHOD else _first_request
    return build(config, hop, load)


def _first_invite(config: NodeConfig, hop: Hop, load: LoadConfig) -> bytes:
    """Return the INVITE of a plain call; tags, ports and identifiers are of the form of a later call's."""
    local, party, _ = _sides(config, hop, load)
    identity = party.identity
    session_config = SessionConfig(
        local=local, from_=identity.from_, outgoing_proxy=identity.outgoing_proxy, user_agent="sipswarm"
    )
    tokens = Tokens(secrets.token_bytes)
    offer = make_offer(
        [LocalMedia(20000, named_codecs(config.codecs))], address=local.host, session_id=tokens.integer(31)
    )
    session = InviteSession.outgoing(session_config, tokens, party.target, hop=hop)
    session.invite(0.0, offer.to_bytes(), headers=identity.headers)
    transmits, _ = session.drain()
    return transmits[0].data


def _first_request(config: NodeConfig, hop: Hop, load: LoadConfig) -> bytes:
    """Return the first request of a load without calls."""
    local, party, proxied = _sides(config, hop, load)
    user = uri_in(party.identity.from_).user or ""
    contacts = () if load.method.upper() in WITHOUT_CONTACT else (contact_at(user, local),)
    way = Way(hop, local, contacts)
    tokens, credentials = Tokens(secrets.token_bytes), Shown(party.identity.credentials)
    if load.method == REGISTER:
        registration = Registration(registration_of(load, party, way, proxied=proxied, credentials=credentials), tokens)
        registration.register(0.0)
        return registration.drain()[0][0].data
    if load.method == SUBSCRIBE:
        subscription = Subscription(subscription_of(load, party, way, proxied=proxied, credentials=credentials), tokens)
        subscription.subscribe(0.0)
        return subscription.drain()[0][0].data
    request = StandaloneRequest(settings_of(load, party, way, proxied=proxied, credentials=credentials), tokens)
    request.send(0.0)
    return request.drain()[0][0].data


def _sides(config: NodeConfig, hop: Hop, load: LoadConfig) -> tuple[Hop, Party, bool]:
    """Return the local address, the sides of the first arrival, and whether a proxy gets its request."""
    listener = config.listeners[0]
    addresses = LocalAddresses([replace(listener, port=listener.port or 5060)], config.advertise)
    local = addresses.toward(0, hop.host).seen
    account = Account(config, addresses)
    first = Share.of(load).first
    parties = Parties(load if not load.scenario else replace(load, data=""), account.identity(local.host))
    return local, parties.of(first), account.proxy is not None
