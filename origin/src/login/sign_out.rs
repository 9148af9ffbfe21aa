//! Signing out: by an access token, or, in a browser whose access cookie has expired, by the refresh cookie.

use portcullis_shared::problem::ProblemCode;
use secrecy::SecretString;

use crate::accounts;
use crate::http::{Problem, RequestContext};
use crate::tokens::CurrentUser;

use super::cookies::BrowserCookies;
use super::desk::{Desk, end_session};
use super::error::LoginError;

impl Desk {
    /// Signs out whoever is calling. The browser forgets its cookies, also where they were good for nothing; not where
    /// nobody could find out, since its session would live on without it.
    pub(super) async fn sign_out(
        &self,
        context: &RequestContext,
        caller: Result<CurrentUser, Problem>,
        cookies: &BrowserCookies,
        token: Option<&SecretString>,
    ) -> Result<(), Problem> {
        let signed_out = match caller {
            Ok(current) => {
                self.logout(context, &current, token).await?;
                Ok(())
            }
            Err(refusal) if refusal.code() == ProblemCode::InvalidToken => {
                let ended = match &cookies.refresh_token {
                    Some(token) => self.logout_by_refresh_token(context, token).await?,
                    None => false,
                };
                if ended { Ok(()) } else { Err(refusal) }
            }
            Err(refusal) => return Err(refusal),
        };
        cookies.forget(context);
        signed_out
    }

    /// Ends the session of a refresh token. False if there is no such session, if it has ended, or if it is of another
    /// tenant than the request names.
    async fn logout_by_refresh_token(
        &self,
        context: &RequestContext,
        token: &SecretString,
    ) -> Result<bool, LoginError> {
        let mut transaction = self.app.pool().begin().await?;
        let mut owner = self.sessions.owner_of_token(&mut transaction, token).await?;
        if let Some(slug) = context.tenant.as_deref() {
            let tenant = accounts::tenant(&mut transaction, slug).await?;
            owner = owner.filter(|owner| owner.tenant_id == tenant);
        }
        let ended = match owner {
            Some(owner) => end_session(&mut transaction, context, owner).await?,
            None => false,
        };
        transaction.commit().await?;
        Ok(ended)
    }
}
