"""Who may do what: bearer tokens and their scopes."""

import enum
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiohttp import hdrs

from deepaas.config.settings import Settings
from deepaas.errors import Forbidden, SettingsError, Unauthorized


class Scope(enum.StrEnum):
    """What a token allows; `PUBLIC` takes none, `ANY_TOKEN` takes some token."""

    PUBLIC = "open"
    ANY_TOKEN = "any"  # noqa: S105 - no token, but which one is needed
    PREDICT = "predict"
    TRAIN = "train"
    ADMIN = "admin"


_GRANTABLE_SCOPES = frozenset({Scope.PREDICT, Scope.TRAIN, Scope.ADMIN})


class Tokens:
    """The tokens that a server knows, as digests; with none, everybody may do everything."""

    def __init__(self, scopes_by_token: Mapping[str, frozenset[Scope]]) -> None:
        self._scopes_by_digest = {
            _hash_token(token): scopes | {Scope.ANY_TOKEN} for token, scopes in scopes_by_token.items()
        }

    def __bool__(self) -> bool:
        return bool(self._scopes_by_digest)

    def check(self, headers: Mapping[str, str], required_scope: Scope) -> None:
        """Raise `Unauthorized` or `Forbidden` unless the request may do what takes `scope`."""
        if not self._scopes_by_digest or required_scope is Scope.PUBLIC:
            return
        given = headers.get(hdrs.AUTHORIZATION, "").strip()
        if not given:
            raise Unauthorized("This server wants a token: send the header 'Authorization: Bearer TOKEN'.")
        scheme, _, token = given.partition(" ")
        scopes = self._find_scopes(token.strip() if scheme.lower() == "bearer" else given)
        if scopes is None:
            raise Unauthorized("This server does not know the token.")
        if required_scope not in scopes:
            raise Forbidden(f"This takes a token with the scope '{required_scope}'.")

    def _find_scopes(self, token: str) -> frozenset[Scope] | None:
        """Compare with every token, in a time that does not tell how much of one was right."""
        given = _hash_token(token)
        found = None
        for known, scopes in self._scopes_by_digest.items():
            if hmac.compare_digest(known, given):
                found = scopes
        return found


def read_tokens(settings: Settings) -> Tokens:
    """Return the tokens that the settings name. Raise `SettingsError` for a file that cannot be used."""
    tokens = dict(_read_token_file(Path(settings.auth_token_file))) if settings.auth_token_file else {}
    if settings.auth_token_file and not tokens:
        raise SettingsError(f"The token file {settings.auth_token_file} holds no token.")
    if settings.auth_token:
        tokens[settings.auth_token] = _GRANTABLE_SCOPES
    return Tokens(tokens)


def _read_token_file(path: Path) -> Iterator[tuple[str, frozenset[Scope]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The token file {path} cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield words[0], _parse_scopes(" ".join(words[1:]), f"{path}, line {number}")


def _parse_scopes(text: str, location: str) -> frozenset[Scope]:
    names = text.replace(",", " ").split()
    unknown = [name for name in names if name not in _GRANTABLE_SCOPES]
    if unknown:
        raise SettingsError(
            f"{location}: no such scope: {', '.join(unknown)}. There are predict, train and admin."
        )
    return frozenset(map(Scope, names)) or _GRANTABLE_SCOPES


def _hash_token(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
