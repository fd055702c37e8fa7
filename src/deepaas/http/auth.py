"""Authorization: bearer tokens and their scopes."""

import enum
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from pathlib import Path

from aiohttp import hdrs

from deepaas.config.settings import Settings
from deepaas.errors import Forbidden, SettingsError, Unauthorized


class Scope(enum.StrEnum):
    """A permission; `PUBLIC` requires no token, `ANY_TOKEN` a token with any scope."""

    PUBLIC = "open"
    ANY_TOKEN = "any"  # noqa: S105 - a scope, not a secret
    PREDICT = "predict"
    TRAIN = "train"
    ADMIN = "admin"


_GRANTABLE_SCOPES = frozenset({Scope.PREDICT, Scope.TRAIN, Scope.ADMIN})


class Tokens:
    """The valid tokens, stored as digests; without tokens, everybody has all scopes."""

    def __init__(self, scopes_by_token: Mapping[str, frozenset[Scope]]) -> None:
        self._scopes_by_digest = {
            _hash_token(token): scopes | {Scope.ANY_TOKEN} for token, scopes in scopes_by_token.items()
        }

    def __bool__(self) -> bool:
        return bool(self._scopes_by_digest)

    def check(self, headers: Mapping[str, str], required_scope: Scope) -> None:
        """Raise `Unauthorized` or `Forbidden` unless the request's token has `required_scope`."""
        if not self._scopes_by_digest or required_scope is Scope.PUBLIC:
            return
        authorization = headers.get(hdrs.AUTHORIZATION, "").strip()
        if not authorization:
            raise Unauthorized("This server requires a token: send the header 'Authorization: Bearer TOKEN'.")
        scheme, _, token = authorization.partition(" ")
        scopes = self._find_scopes(token.strip() if scheme.lower() == "bearer" else authorization)
        if scopes is None:
            raise Unauthorized("This server does not know the token.")
        if required_scope not in scopes:
            raise Forbidden(f"Forbidden: this endpoint requires a token with scope '{required_scope}'.")

    def _find_scopes(self, token: str) -> frozenset[Scope] | None:
        """Compare with every token in constant time, so that the duration reveals nothing about them."""
        digest = _hash_token(token)
        matching_scopes = None
        for known_digest, scopes in self._scopes_by_digest.items():
            if hmac.compare_digest(known_digest, digest):
                matching_scopes = scopes
        return matching_scopes


def read_tokens(settings: Settings) -> Tokens:
    """Return the tokens in the settings. Raise `SettingsError` for an unreadable or invalid token file."""
    tokens = dict(_read_token_file(Path(settings.auth_token_file))) if settings.auth_token_file else {}
    if settings.auth_token_file and not tokens:
        raise SettingsError(f"The token file {settings.auth_token_file} contains no tokens.")
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
        raise SettingsError(f"{location}: unknown scope: {', '.join(unknown)}. Use predict, train or admin.")
    return frozenset(map(Scope, names)) or _GRANTABLE_SCOPES


def _hash_token(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
