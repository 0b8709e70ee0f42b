"""Who gets in, with a hash of the password alone."""

import argon2
import bcrypt
import pytest

from apisnoop_addons.web.login import HashedLogin, verify
from tests.addons.web.viewing import PASSWORD

HASHES = {
    "bcrypt": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
    "bcrypt as Helm makes it": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4, b"2a")).decode(),
    "argon2": argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD),
}


@pytest.mark.parametrize("kind", HASHES)
def test_the_password_gets_in_and_no_other(kind):
    """Whichever hash it is."""
    assert verify(HASHES[kind], PASSWORD)
    assert not verify(HASHES[kind], PASSWORD + "x")
    assert not verify(HASHES[kind], HASHES[kind])


@pytest.mark.parametrize("known", ["", PASSWORD, "$2a$04$nonsense", "$argon2id$nonsense", "$"])
def test_what_is_no_hash_is_nobodys(known):
    """A password that somebody put in the hash's place lets nobody in, not even with that password."""
    assert not verify(known, PASSWORD)
    assert not verify(known, known)


def test_a_password_longer_than_bcrypt_takes_is_wrong():
    """It is no reason to break."""
    assert not verify(HASHES["bcrypt"], "x" * 100)


def test_without_a_file_nobody_gets_in_and_with_it_later_the_password_does(tmp_path):
    """The Secret may come after the process, and change."""
    login = HashedLogin(tmp_path / "hash")
    assert not login.is_valid_password(PASSWORD)
    (tmp_path / "hash").write_text(HASHES["bcrypt"] + "\n")
    assert login.is_valid_password(PASSWORD)
    (tmp_path / "hash").write_text(bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode())
    assert not login.is_valid_password(PASSWORD)


def test_no_password_is_never_right(tmp_path):
    """Not even where its hash is what is known."""
    (tmp_path / "hash").write_text(bcrypt.hashpw(b"", bcrypt.gensalt(4)).decode())
    assert not HashedLogin(tmp_path / "hash").is_valid_password("")
