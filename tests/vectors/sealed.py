#!/usr/bin/env python3
"""SEALED, FRAME and WRAPPED of docs/formats.md, made by another implementation: Python's cryptography (38 or newer).

sealed.py > sealed.json   makes the vectors, with fresh keys of the receivers and of the wraps
sealed.py --check         makes each value of the sealed.json beside it again, from its keys and contents, and compares;
                          what is made with chance (RSA-OAEP) is decrypted

Exit codes: 0 ok, 1 a value differs, 2 usage, 77 there is no cryptography.
"""
import base64
import hashlib
import json
import os
import struct
import sys

try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
except ImportError as why:
    print(f"skipped: Python's cryptography is not installed (python3-cryptography): {why}")
    sys.exit(77)

CIPHERS = {"aes-256-gcm": (1, AESGCM), "chacha20-poly1305": (2, ChaCha20Poly1305)}
CHUNK_BYTES = 1024
LABEL = b"fieldwork content key v1\0"
ECDH, OAEP, NONE = "ECDH-ES+HKDF-SHA256+A256GCM", "RSA-OAEP-256", "none"


def base64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def from_base64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- sealed content ---

def header(content):
    number, _ = CIPHERS[content["encryption_algorithm"]]
    return (b"FWS\1" + bytes.fromhex(content["content"]) + bytes([number, 0, 0, 0]) +
            struct.pack(">IQ", content["chunk_bytes"], len(content["encoded"]) // 2) +
            bytes.fromhex(content["digest"][len("sha256:"):]))


def sealed_chunks(content):
    _, cipher = CIPHERS[content["encryption_algorithm"]]
    aead = cipher(bytes.fromhex(content["key"]))
    encoded, size = bytes.fromhex(content["encoded"]), content["chunk_bytes"]
    pieces = [encoded[at:at + size] for at in range(0, len(encoded), size)]
    out = []
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        nonce = bytes(7) + struct.pack(">I", number) + bytes([last])
        out.append(aead.encrypt(nonce, piece, header(content)))
    return out


def frame(content, offset, length):
    size = content["chunk_bytes"]
    chunks = sealed_chunks(content)[offset // size:-(-(offset + length) // size)]
    return b"FW\2\0" + bytes.fromhex(content["content"]) + struct.pack(">QI", offset, length) + b"".join(chunks)


def root(chunks):
    level = [hashlib.sha256(b"\0" + chunk).digest() for chunk in chunks]
    while len(level) > 1:
        pairs = [level[at:at + 2] for at in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\1" + pair[0] + pair[1]).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def completed(content):
    """The content with all that follows from it."""
    frames = [{"offset": one["offset"], "length": one["length"],
               "bytes": frame(content, one["offset"], one["length"]).hex()} for one in content["frames"]]
    digest = "sha256:" + hashlib.sha256(bytes.fromhex(content["encoded"])).hexdigest()  # the encoding is identity
    return dict(content, digest=digest, header=header(content).hex(), frames=frames, root=root(sealed_chunks(content)).hex())


# --- wrapped keys ---

def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def private_key(text):
    return serialization.load_pem_private_key(text.encode(), None)


def info(wrap):
    return LABEL + bytes.fromhex(wrap["content"]) + bytes.fromhex(wrap["fingerprint"])


def oaep(wrap):
    return padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=info(wrap))


def ecdh_wrap(wrap):
    """The wrap with all that follows from the two private keys."""
    ephemeral, receiver = private_key(wrap["ephemeral_key"]), private_key(wrap["receiver_key"])
    point = ephemeral.public_key().public_bytes(serialization.Encoding.X962,
                                                serialization.PublicFormat.UncompressedPoint)
    secret = ephemeral.exchange(ec.ECDH(), receiver.public_key())
    assert secret == receiver.exchange(ec.ECDH(), ephemeral.public_key())
    kek = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info(wrap)).derive(secret)
    sealed = AESGCM(kek).encrypt(bytes(12), bytes.fromhex(wrap["key"]), None)
    return dict(wrap, info=info(wrap).hex(), secret=secret.hex(), kek=kek.hex(),
                wrapped_key={"alg": ECDH, "ephemeral": base64url(point), "wrapped": base64url(sealed)})


def oaep_wrap(wrap):
    sealed = private_key(wrap["receiver_key"]).public_key().encrypt(bytes.fromhex(wrap["key"]), oaep(wrap))
    return dict(wrap, info=info(wrap).hex(), wrapped_key={"alg": OAEP, "wrapped": base64url(sealed)})


def oaep_opened(wrap):
    """The wrap, with the key that its ciphertext holds."""
    sealed = from_base64url(wrap["wrapped_key"]["wrapped"])
    key = private_key(wrap["receiver_key"]).decrypt(sealed, oaep(wrap))
    return dict(wrap, info=info(wrap).hex(), key=key.hex())


def bare_wrap(wrap):
    return dict(wrap, wrapped_key={"alg": NONE, "wrapped": base64url(bytes.fromhex(wrap["key"]))})


# --- the file ---

def made():
    key = hashlib.sha256(b"a content key").hexdigest()
    contents = []
    # A piece of a chunk; whole chunks; an odd number of chunks of which the last is short. Each cipher has a key and an
    # id of its own for each content.
    for cipher in CIPHERS:
        for encoded_bytes, cuts in ((5, [5]), (2048, [1024, 1024]), (4700, [1024, 3072, 604])):
            name = f"{cipher} {encoded_bytes}".encode()
            encoded = bytes((at * 31 + at // 256) % 256 for at in range(encoded_bytes))
            frames = [{"offset": sum(cuts[:i]), "length": cuts[i]} for i in range(len(cuts))]
            contents.append(completed({
                "content": hashlib.sha256(b"id " + name).hexdigest()[:32],
                "key": hashlib.sha256(b"key " + name).hexdigest(),
                "encryption_algorithm": cipher,
                "chunk_bytes": CHUNK_BYTES,
                "digest": "sha256:" + hashlib.sha256(encoded).hexdigest(),
                "encoded": encoded.hex(),
                "frames": frames}))
    common = {"content": contents[0]["content"], "fingerprint": hashlib.sha256(b"a certificate").hexdigest(), "key": key}
    of_ecdh = dict(common, receiver_key=pem(ec.generate_private_key(ec.SECP256R1())),
                   ephemeral_key=pem(ec.generate_private_key(ec.SECP256R1())))
    of_oaep = dict(common, receiver_key=pem(rsa.generate_private_key(65537, 2048)))
    return {"about": "Made by sealed.py. Bytes are in hex, save in wrapped_key.", "contents": contents,
            "wraps": {"ecdh": ecdh_wrap(of_ecdh), "oaep": oaep_wrap(of_oaep), "none": bare_wrap(common)}}


def wrong_values(said, again, at=""):
    """The JSON pointers of what differs."""
    if isinstance(said, dict) and isinstance(again, dict) and said.keys() == again.keys():
        return [one for name in said for one in wrong_values(said[name], again[name], f"{at}/{name}")]
    if isinstance(said, list) and isinstance(again, list) and len(said) == len(again):
        return [one for i, value in enumerate(said) for one in wrong_values(value, again[i], f"{at}/{i}")]
    return [] if said == again else [at]


def check(said):
    wraps = said["wraps"]
    again = {"about": said["about"], "contents": [completed(content) for content in said["contents"]],
             "wraps": {"ecdh": ecdh_wrap(wraps["ecdh"]), "oaep": oaep_opened(wraps["oaep"]),
                       "none": bare_wrap(wraps["none"])}}
    wrong = wrong_values(said, again)
    for at in wrong:
        print(f"differs: {at}", file=sys.stderr)
    if not wrong:
        print(f"ok: {len(again['contents'])} contents, {len(again['wraps'])} wraps")
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--check"]:
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sealed.json"), encoding="utf-8") as file:
            return check(json.load(file))
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    json.dump(made(), sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
