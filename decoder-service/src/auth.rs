//! Bearer tokens and what they allow.

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{ApiError, Kind};

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// `POST /v1/decode`.
    Decode,
    /// `POST /v1/encode`.
    Encode,
    /// Models, reports, the operator page's data.
    Read,
    /// Promotions, rollbacks, rollouts.
    Admin,
    /// `GET /metrics`, where it is not open.
    Metrics,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Scope::Decode => "decode",
            Scope::Encode => "encode",
            Scope::Read => "read",
            Scope::Admin => "admin",
            Scope::Metrics => "metrics",
        }
    }
}

/// A token as the configuration knows it: by its hash.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Who has it; in logs and metrics.
    pub name: String,
    /// SHA-256 of the token, hexadecimal (`printf %s TOKEN | sha256sum`).
    pub sha256: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's name, or the peer's address where no tokens are configured.
    pub name: String,
}

struct Token {
    name: String,
    hash: [u8; 32],
    scopes: Vec<Scope>,
}

/// All tokens; without any, everybody may do everything.
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// Reads the configured hashes.
    ///
    /// # Errors
    /// A hash that is no SHA-256, or two tokens of one name.
    pub fn new(configured: &[TokenConfig]) -> Result<Self, String> {
        let mut tokens: Vec<Token> = Vec::with_capacity(configured.len());
        for token in configured {
            let hash = from_hex(&token.sha256).ok_or_else(|| {
                format!("token '{}': sha256 must be 64 hexadecimal digits", token.name)
            })?;
            if tokens.iter().any(|known| known.name == token.name) {
                return Err(format!("two tokens are named '{}'", token.name));
            }
            tokens.push(Token { name: token.name.clone(), hash, scopes: token.scopes.clone() });
        }
        Ok(Tokens(tokens))
    }

    /// Whether everybody may do everything.
    pub fn open(&self) -> bool {
        self.0.is_empty()
    }

    /// Who sends these headers, if it may do this.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] without a known token, [`Kind::Forbidden`] for one without the scope.
    pub fn check(&self, headers: &HeaderMap, scope: Scope, peer: &str) -> Result<Caller, ApiError> {
        if self.open() {
            return Ok(Caller { name: peer.to_owned() });
        }
        let missing = || ApiError::new(Kind::Unauthorized, "send 'Authorization: Bearer TOKEN'");
        let value = headers.get(header::AUTHORIZATION).ok_or_else(missing)?;
        let value = value.to_str().map_err(|_| missing())?;
        let (scheme, token) = value.split_once(' ').ok_or_else(missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(missing());
        }
        let hash: [u8; 32] = Sha256::digest(token.trim()).into();
        // Every token is compared, in constant time: how long it takes tells nothing.
        let mut found = None;
        for token in &self.0 {
            if bool::from(token.hash.ct_eq(&hash)) {
                found = Some(token);
            }
        }
        let token =
            found.ok_or_else(|| ApiError::new(Kind::Unauthorized, "the token is not known"))?;
        if !token.scopes.contains(&scope) {
            let detail = format!("token '{}' lacks the scope '{}'", token.name, scope.name());
            return Err(ApiError::new(Kind::Forbidden, detail));
        }
        Ok(Caller { name: token.name.clone() })
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16);
    let mut out = [0; 32];
    for (out, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *out = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of "secret".
    const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

    fn tokens() -> Tokens {
        let decode = TokenConfig {
            name: "camera".to_owned(),
            sha256: SECRET.to_owned(),
            scopes: vec![Scope::Decode],
        };
        Tokens::new(&[decode]).unwrap()
    }

    fn headers(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    #[test]
    fn scopes_are_kept() {
        let tokens = tokens();
        let ask = |value: &str, scope| {
            tokens.check(&headers(value), scope, "peer").map_err(|error| error.kind())
        };
        assert_eq!(ask("Bearer secret", Scope::Decode).unwrap().name, "camera");
        assert_eq!(ask("bearer secret", Scope::Decode).unwrap().name, "camera");
        assert_eq!(ask("Bearer secret", Scope::Admin), Err(Kind::Forbidden));
        assert_eq!(ask("Bearer secre", Scope::Decode), Err(Kind::Unauthorized));
        assert_eq!(ask("Basic secret", Scope::Decode), Err(Kind::Unauthorized));
        assert_eq!(ask("secret", Scope::Decode), Err(Kind::Unauthorized));
        let none = tokens.check(&HeaderMap::new(), Scope::Decode, "peer");
        assert_eq!(none.unwrap_err().kind(), Kind::Unauthorized);
    }

    #[test]
    fn without_tokens_the_peer_is_the_caller() {
        let open = Tokens::new(&[]).unwrap();
        assert_eq!(open.check(&HeaderMap::new(), Scope::Admin, "peer").unwrap().name, "peer");
    }

    #[test]
    fn wrong_configurations_are_refused() {
        let token = |name: &str, sha256: &str| TokenConfig {
            name: name.to_owned(),
            sha256: sha256.to_owned(),
            scopes: vec![],
        };
        assert!(Tokens::new(&[token("a", "secret")]).is_err());
        assert!(Tokens::new(&[token("a", &SECRET.replace('2', "g"))]).is_err());
        assert!(Tokens::new(&[token("a", SECRET), token("a", SECRET)]).is_err());
    }
}
