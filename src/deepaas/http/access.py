"""Who may do what: bearer tokens and their scopes. It must not know what the scopes protect."""

import enum
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiohttp import hdrs

from deepaas.errors import NotAllowed, NotAuthenticated, SettingsError
from deepaas.settings import Settings


class Scope(enum.StrEnum):
    """What a token allows; `OPEN` takes none, `ANY` takes some token."""

    OPEN = "open"
    ANY = "any"
    PREDICT = "predict"
    TRAIN = "train"
    ADMIN = "admin"


_GRANTED = frozenset({Scope.PREDICT, Scope.TRAIN, Scope.ADMIN})


class Tokens:
    """The tokens that a server knows, as digests; with none, everybody may do everything."""

    def __init__(self, scopes_of: Mapping[str, frozenset[Scope]]) -> None:
        self._scopes_of = {_digest(token): scopes | {Scope.ANY} for token, scopes in scopes_of.items()}

    def __bool__(self) -> bool:
        return bool(self._scopes_of)

    def check(self, headers: Mapping[str, str], scope: Scope) -> None:
        """Raise `NotAuthenticated` or `NotAllowed` unless the request may do what takes `scope`."""
        if not self._scopes_of or scope is Scope.OPEN:
            return
        given = headers.get(hdrs.AUTHORIZATION, "").strip()
        if not given:
            raise NotAuthenticated(
                "This server wants a token: send the header 'Authorization: Bearer TOKEN'."
            )
        scheme, _, token = given.partition(" ")
        scopes = self._find(token.strip() if scheme.lower() == "bearer" else given)
        if scopes is None:
            raise NotAuthenticated("This server does not know the token.")
        if scope not in scopes:
            raise NotAllowed(f"This takes a token with the scope '{scope}'.")

    def _find(self, token: str) -> frozenset[Scope] | None:
        """Compare with every token, in a time that does not tell how much of one was right."""
        given = _digest(token)
        found = None
        for known, scopes in self._scopes_of.items():
            if hmac.compare_digest(known, given):
                found = scopes
        return found


def read_tokens(settings: Settings) -> Tokens:
    """Return the tokens that the settings name. Raise `SettingsError` for a file that cannot be used."""
    tokens = dict(_from_file(Path(settings.auth_token_file))) if settings.auth_token_file else {}
    if settings.auth_token_file and not tokens:
        raise SettingsError(f"The token file {settings.auth_token_file} holds no token.")
    if settings.auth_token:
        tokens[settings.auth_token] = _GRANTED
    return Tokens(tokens)


def _from_file(path: Path) -> Iterator[tuple[str, frozenset[Scope]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The token file {path} cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield words[0], _scopes(" ".join(words[1:]), f"{path}, line {number}")


def _scopes(text: str, where: str) -> frozenset[Scope]:
    names = text.replace(",", " ").split()
    unknown = [name for name in names if name not in _GRANTED]
    if unknown:
        raise SettingsError(
            f"{where}: no such scope: {', '.join(unknown)}. There are predict, train and admin."
        )
    return frozenset(map(Scope, names)) or _GRANTED


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
