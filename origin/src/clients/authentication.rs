//! Who is asking: an extractor, so that a handler that has a client has seen its secret.

use axum::extract::{FromRef, FromRequest, FromRequestParts, Request};
use secrecy::SecretString;
use std::num::NonZeroU32;

use crate::audit::{self, Event, EventKind};
use crate::http::{AppState, Form, RequestContext};
use crate::kernel::secret_digest::SecretDigest;
use crate::rate_limit::{Limiter, Quota, client_key};

use super::credentials::{self, Authorization, Credentials};
use super::error::ClientsError;

/// How many failed authentications of the whole installation are audited in a minute, so that a flood from many
/// addresses does not fill the log that nothing is ever removed from. All of them are logged.
const AUDITED_PER_MINUTE: Quota = Quota::per_minute(match NonZeroU32::new(60) {
    Some(limit) => limit,
    None => NonZeroU32::MIN,
});

/// A service client of the configuration that has shown its secret.
#[derive(Clone, Debug)]
pub struct ServiceClient {
    id: String,
}

impl ServiceClient {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// What both endpoints take: the token in question, asked about by an authenticated client. `token_type_hint` is not
/// looked at, because a token says itself what it is (RFC 7662 §2.1, RFC 7009 §2.1).
pub(super) struct TokenRequest {
    pub(super) client: ServiceClient,
    pub(super) token: SecretString,
}

impl<S> FromRequest<S> for TokenRequest
where
    S: Send + Sync,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
{
    type Rejection = ClientsError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ClientsError> {
        let (mut parts, body) = request.into_parts();
        let context = RequestContext::from_request_parts(&mut parts, state).await?;
        let authorization = Authorization::of(&parts.headers);
        let form = Form::from_request(Request::from_parts(parts, body), state).await?;
        let mut parameters = form.parameters()?;
        let door = ClientDoor {
            app: AppState::from_ref(state),
            limiter: Limiter::from_ref(state),
        };
        let credentials = match credentials::find(authorization, &mut parameters) {
            Ok(credentials) => credentials,
            Err(refusal) => return Err(door.refuse(&context, None, refusal).await),
        };
        let client = door.admit(&context, &credentials).await?;
        let token = parameters
            .take("token")
            .ok_or(ClientsError::InvalidRequest("The parameter `token` is required."))?;
        Ok(Self { client, token })
    }
}

/// Where a client shows its secret.
struct ClientDoor {
    app: AppState,
    limiter: Limiter,
}

impl ClientDoor {
    /// Compares the secret with what the configuration has, or with nothing that anybody can have where the client is not
    /// known: both cost one SHA-256.
    async fn admit(
        &self,
        context: &RequestContext,
        credentials: &Credentials,
    ) -> Result<ServiceClient, ClientsError> {
        let known = self.app.config().clients.get(&credentials.id);
        let digest = known.unwrap_or(&SecretDigest::OF_NOTHING);
        if digest.recognises(&credentials.secret).into() {
            return Ok(ServiceClient {
                id: credentials.id.clone(),
            });
        }
        let attempt = Attempt {
            known_id: known.map(|_| credentials.id.as_str()),
        };
        let refusal = ClientsError::InvalidClient("The client's id or secret is wrong.");
        Err(self.refuse(context, Some(attempt), refusal).await)
    }

    /// Counts a failure against its address, leaves a trace of an attempt, and then refuses.
    async fn refuse(
        &self,
        context: &RequestContext,
        attempt: Option<Attempt<'_>>,
        refusal: ClientsError,
    ) -> ClientsError {
        match self.trace(context, attempt).await {
            Ok(()) => refusal,
            Err(error) => error,
        }
    }

    async fn trace(
        &self,
        context: &RequestContext,
        attempt: Option<Attempt<'_>>,
    ) -> Result<(), ClientsError> {
        let quota = Quota::per_minute(self.app.config().limits.login_per_minute_client);
        self.limiter
            .enforce(context, "client-failures", &client_key(context.client_ip), quota)
            .await?;
        let Some(attempt) = attempt else { return Ok(()) };
        let audited = self
            .limiter
            .check("client-failures-audited", "", AUDITED_PER_MINUTE, context.now)
            .await;
        if audited.is_err() {
            return Ok(());
        }
        let event = Event::of_request(context, EventKind::ClientRefused);
        // An id that is not ours may be a secret in the wrong place.
        let event = match attempt.known_id {
            Some(id) => event.detail("client_id", id),
            None => event,
        };
        let mut transaction = self.app.pool().begin().await?;
        audit::record(&mut transaction, event).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Somebody has presented an id and a secret.
struct Attempt<'a> {
    /// The id, if there is such a client.
    known_id: Option<&'a str>,
}
