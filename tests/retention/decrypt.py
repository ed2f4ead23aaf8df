#!/usr/bin/env python3
"""Opens whatever can be opened of copies of a store and of keepers' files.

Written from docs/retention.md alone ("The bytes"), with nothing of Tessera's own: what it does not open, a stranger with the
same copies does not open either. It asks for nobody's leave: every key that lies in a keeper's file is tried on every
wrapped key, whatever the hour, and whatever the file's heads say.

    decrypt.py --store DIR [--keeper DIR]... [--out DIR]

Tells what it opened as JSON; with --out it writes the first take of each recording to DIR/{hour}-{recording}.mp4.
"""
import argparse
import hashlib
import json
import pathlib
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

SLOTS, SLOT = 336, 64
CHUNK, TAG, SALT, COMMITMENT = 16 * 1024, 16, 24, 32


def expand(key, info, length):
    return HKDFExpand(algorithm=hashes.SHA512(), length=length, info=info).derive(key)


def unseal(key, context, sealed):
    """C2SP chunked encryption, Cobblestone-256; None where it does not open."""
    salt, commitment, rest = sealed[:SALT], sealed[SALT:SALT + COMMITMENT], sealed[SALT + COMMITMENT:]
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = expand(key, info, 32 + 12 + COMMITMENT)
    if derived[44:] != commitment:
        return None
    cipher, base = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big")
    plain = []
    try:
        for number, at in enumerate(range(0, len(rest), CHUNK + TAG)):
            plain.append(cipher.decrypt((base ^ number).to_bytes(12, "big"), rest[at:at + CHUNK + TAG], None))
    except InvalidTag:
        return None
    # The last chunk is always shorter than the others.
    return b"".join(plain) if plain and len(plain[-1]) < CHUNK else None


def hour_keys(keeper):
    """Every hour and key in the slots of a keeper's file."""
    file = pathlib.Path(keeper) / "keys"
    if not file.exists():
        return []
    data, found = file.read_bytes(), []
    for n in range(SLOTS):
        slot = data[n * SLOT:(n + 1) * SLOT]
        if any(slot[4:36]):
            found.append((struct.unpack(">I", slot[:4])[0], slot[4:36]))
    return found


def share(key, keeper, hour, recording):
    return expand(key, b"tessera keeper release v1" + keeper + struct.pack(">I", hour) + recording, 32)


def data_key(folder, hour, recording, keepers):
    """The recording's data key, if any wrapped key opens."""
    everything = [(n, key) for n, keys in enumerate(keepers) for _, key in keys]
    for wrapped in sorted(folder.glob("wrap/*")):
        low, high = (bytes.fromhex(part[1:]) for part in wrapped.name.split("-"))
        about = b"tessera data key wrap v1" + recording + struct.pack(">I", hour) + low + high
        if low == high:
            shares = [(s, s) for s in (share(key, low, hour, recording) for _, key in everything)]
        else:
            lows = [(n, share(key, low, hour, recording)) for n, key in everything]
            highs = [(n, share(key, high, hour, recording)) for n, key in everything]
            shares = [(one, other) for n, one in lows for m, other in highs if n != m]
        for one, other in shares:
            wrapping = HKDF(algorithm=hashes.SHA512(), length=32, salt=None, info=about).derive(one + other)
            opened = unseal(wrapping, about, wrapped.read_bytes())
            if opened is not None:
                return opened
    return None


def context(hour, recording, kind, take, number):
    place = bytes([kind]) + struct.pack(">II", take, number)
    return b"tessera object v1" + recording + struct.pack(">I", hour) + place


def first_take(folder, hour, recording, key):
    """The bytes of its file: head, or init while there is none, and the segments from 0 on."""
    take = folder / "av" / "0000"
    begin, kind = (take / "head", 3) if (take / "head").exists() else (take / "init", 2)
    parts = [unseal(key, context(hour, recording, kind, 0, 0), begin.read_bytes())]
    number = 0
    while (segment := take / f"{number:06}").exists():
        parts.append(unseal(key, context(hour, recording, 4, 0, number), segment.read_bytes()))
        number += 1
    return None if any(part is None for part in parts) else b"".join(parts)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--store", required=True, type=pathlib.Path)
    arguments.add_argument("--keeper", action="append", default=[])
    arguments.add_argument("--out", type=pathlib.Path)
    asked = arguments.parse_args()
    keepers = [hour_keys(keeper) for keeper in asked.keeper]
    told = {"keys": sum(map(len, keepers)), "recordings": 0, "opened": []}
    for folder in sorted(asked.store.glob("rec/*/*")):
        hour, recording = int(folder.parent.name), bytes.fromhex(folder.name[1:])
        told["recordings"] += 1
        key = data_key(folder, hour, recording, keepers)
        if key is None:
            continue
        name = f"{folder.parent.name}-{folder.name}"
        plain = first_take(folder, hour, recording, key)
        told["opened"].append({"recording": name, "sha256": plain and hashlib.sha256(plain).hexdigest()})
        if asked.out and plain is not None:
            (asked.out / f"{name}.mp4").write_bytes(plain)
    print(json.dumps(told))


main()
