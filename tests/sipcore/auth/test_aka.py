"""AKA: Milenage by test set 1 of 3GPP TS 35.208, AES by FIPS 197 appendix C.1, the digest of RFC 3310 with them."""

import random
from base64 import b64decode, b64encode

import pytest

from sipswarm.sipcore.auth import aka
from sipswarm.sipcore.auth.aka import AkaKeys, AkaServer
from sipswarm.sipcore.auth.digest import hash_text, response_hash
from sipswarm.sipcore.auth.digest_server import DigestServer, Outcome, Verdict
from sipswarm.sipcore.message.messages import Request
from sipswarm.sipcore.message.tokens import Tokens

K, OP, AMF = "465b5ce8b199b49faa5f0a2ee238a6bc", "cdc202d5123e20f62b6d676ac72cb318", "b9b9"
RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
KEYS = AkaKeys.of(K, OP, AMF)


def test_aes_enciphers_as_the_standard_says() -> None:
    key, block = bytes(range(16)), bytes(range(0, 256, 17))
    assert aka.encipher(key, block).hex() == "69c4e0d86a7b0430d8cdb78070b4c55a"


def test_milenage_gives_the_published_values() -> None:
    assert KEYS.opc.hex() == "cd63cb71954a9f4e48a5994e37a02baf"
    sqn = bytes.fromhex("ff9bb4d0b607")
    assert [each.hex() for each in aka._f1(KEYS, RAND, sqn, KEYS.amf)] == ["4a9ffac354dfafb3", "01cfaf9ec4e871e9"]
    assert [each.hex() for each in aka._f2_f5(KEYS, RAND)] == ["a54211d5e3ba50bf", "aa689c648370"]
    assert aka._f5_star(KEYS, RAND).hex() == "451e8beca43b"


@pytest.mark.parametrize("key", [f"0x{K}", K.upper(), bytes.fromhex(K)])
def test_keys_are_taken_in_every_way_of_writing_them(key: str | bytes) -> None:
    assert AkaKeys.of(key, OP, "0xB9B9") == KEYS
    assert AkaKeys.of(key, KEYS.opc, AMF, opc=True) == KEYS
    assert K not in repr(KEYS)
    with pytest.raises(ValueError, match="16 octets or 32 hexadecimal digits"):
        AkaKeys.of("short")


class Sim:
    """A client with the same keys; it takes only numbers above the one it has seen."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def answer(self, challenge: str, user: str = "alice") -> str:
        nonce = challenge.partition('nonce="')[2].partition('"')[0]
        octets = b64decode(nonce)
        rand, autn = octets[:16], octets[16:32]
        res, ak = aka._f2_f5(KEYS, rand)
        assert b"\0" not in res  # which SIPp takes for its end
        sqn = bytes(a ^ b for a, b in zip(autn[:6], ak, strict=True))
        assert aka._f1(KEYS, rand, sqn, autn[6:8])[0] == autn[8:]
        tail = ""
        if int.from_bytes(sqn, "big") <= self.number:
            own = self.number.to_bytes(6, "big")
            concealed = bytes(a ^ b for a, b in zip(own, aka._f5_star(KEYS, rand), strict=True))
            tail = f', auts="{b64encode(concealed + aka._f1(KEYS, rand, own, bytes(2))[1]).decode()}"'
            res = b""
        else:
            self.number = int.from_bytes(sqn, "big")
        ha1 = hash_text("MD5", f"{user}:r:".encode() + res)
        right = response_hash("MD5", ha1, nonce, "OPTIONS", "sip:r", qop="auth", nc="00000001", cnonce="c")
        return (
            f'Digest username="{user}", realm="r", nonce="{nonce}", uri="sip:r", response="{right}", '
            f'algorithm=AKAv1-MD5, qop=auth, nc=00000001, cnonce="c"{tail}'
        )


def server() -> DigestServer:
    tokens = Tokens(random.Random(1).randbytes)
    keys = AkaServer(lambda user: KEYS if user == "alice" else None)
    return DigestServer(b"0123456789abcdef", "r", tokens, algorithms=["AKAv1-MD5"], aka=keys)


def verified(judge: DigestServer, credentials: str, source: str = "") -> Verdict:
    asked = Request.build("OPTIONS", "sip:r", [("Authorization", credentials)])
    return judge.verify(asked, lambda user: None, 11.0, source=source)


def test_a_client_with_the_key_gets_in_once_with_each_challenge() -> None:
    judge, sim = server(), Sim()
    for _ in range(300):
        ((_, challenge),) = judge.challenge(10.0, user="alice")
        used = sim.answer(challenge)
        assert verified(judge, used).outcome is Outcome.OK
        assert verified(judge, used).outcome is Outcome.REPLAYED


def test_nobody_else_gets_in() -> None:
    judge = server()
    ((_, challenge),) = judge.challenge(10.0, source="192.0.2.1", user="alice")
    right = Sim().answer(challenge)
    assert verified(judge, right, "192.0.2.2").outcome is Outcome.STALE
    assert verified(judge, right.replace('username="alice"', 'username="bob"'), "192.0.2.1").outcome is Outcome.WRONG
    head, _, tail = right.partition('nonce="')
    nonce, _, tail = tail.partition('"')
    for other in ("", "AAAA", nonce[:-8], "B" + nonce[1:], "=" + nonce, nonce + "\xff"):
        assert not verified(judge, f'{head}nonce="{other}"{tail}', "192.0.2.1").ok
    assert verified(judge, right, "192.0.2.1").ok


def test_a_user_without_keys_gets_a_challenge_of_the_same_form() -> None:
    judge = server()
    lengths = {len(judge.challenge(10.0, user=user)[0][1]) for user in ("alice", "bob", "")}
    assert len(lengths) == 1


def test_a_client_that_is_ahead_says_where_and_gets_in_with_the_next_challenge() -> None:
    judge, sim = server(), Sim(number=1 << 40)
    ((_, challenge),) = judge.challenge(10.0, user="alice")
    ahead = sim.answer(challenge)
    forged = ahead.partition('auts="')[0] + f'auts="{b64encode(bytes(14)).decode()}"'
    assert verified(judge, forged).outcome is Outcome.WRONG
    verdict = verified(judge, ahead)
    assert verdict.outcome is Outcome.STALE
    status, headers = judge.refusal(verdict, 10.5)
    assert status == 401
    assert verified(judge, sim.answer(headers[0][1])).outcome is Outcome.OK
