//! How often somebody may try.

use secrecy::SecretString;

use crate::accounts::{EmailAddress, NewUser};
use crate::http::{Problem, RequestContext};
use crate::rate_limit::{Quota, client_key};
use crate::sessions::PresentedToken;

use super::desk::Desk;
use super::error::LoginError;

const FIVE_MINUTES: u32 = 300;
/// The limit of refresh tokens that are good for nothing.
const REFRESH_FAILURES: &str = "refresh-failures";

impl Desk {
    /// Checks whether the chosen password is good enough, and then counts the registration against the limits of
    /// its client: who has to think of a better password has not registered yet. Such attempts have a limit of
    /// their own, as many in a minute as registrations in an hour.
    pub(super) async fn admit_registration(
        &self,
        context: &RequestContext,
        new: &NewUser,
    ) -> Result<(), Problem> {
        let limits = &self.app.config().limits;
        let client = client_key(context.client_ip);
        let attempts = Quota::per_minute(limits.register_per_hour);
        self.limiter
            .enforce(context, "register-attempt", &client, attempts)
            .await?;
        self.password_rules
            .check(new.password.clone(), new.guessable_words())
            .await
            .map_err(LoginError::from)?
            .map_err(LoginError::from)?;
        let short = Quota::within(limits.register_per_5_minutes, FIVE_MINUTES);
        self.limiter.enforce(context, "register", &client, short).await?;
        let long = Quota::per_hour(limits.register_per_hour);
        self.limiter
            .enforce(context, "register-hourly", &client, long)
            .await
    }

    /// Counts a login against the limits of its client, and of its client and address together.
    pub(super) async fn admit_login(
        &self,
        context: &RequestContext,
        email: &EmailAddress,
    ) -> Result<(), Problem> {
        let limits = &self.app.config().limits;
        let client = client_key(context.client_ip);
        let by_client = Quota::per_minute(limits.login_per_minute_client);
        self.limiter
            .enforce(context, "login-client", &client, by_client)
            .await?;
        let pair = format!("{client} {} {}", self.tenant_slug(context), email.as_str());
        let by_pair = Quota::per_minute(limits.login_per_minute_pair);
        self.limiter.enforce(context, "login", &pair, by_pair).await
    }

    /// Counts a sign-in by a device key against the limit of its client, as one by a password is.
    pub(super) async fn admit_device_key(&self, context: &RequestContext) -> Result<(), Problem> {
        let quota = Quota::per_minute(self.app.config().limits.login_per_minute_client);
        self.limiter
            .enforce(context, "login-device-key", &client_key(context.client_ip), quota)
            .await
    }

    /// Counts the answer to a challenge against the limit of its client, as a login is: it is the second half of one.
    pub(super) async fn admit_answer(&self, context: &RequestContext) -> Result<(), Problem> {
        let quota = Quota::per_minute(self.app.config().limits.login_per_minute_client);
        self.limiter
            .enforce(context, "login-mfa", &client_key(context.client_ip), quota)
            .await
    }

    /// Counts a refresh against the limit of its session, and refuses a client that has presented too many tokens that were good
    /// for nothing: whoever makes tokens up names sessions as they please.
    pub(super) async fn admit_refresh(
        &self,
        context: &RequestContext,
        token: &SecretString,
    ) -> Result<(), Problem> {
        let client = client_key(context.client_ip);
        let failures =
            self.limiter
                .refuse_exhausted(context, REFRESH_FAILURES, &client, self.refresh_failures());
        let Some(token) = PresentedToken::parse(token) else {
            return failures.await;
        };
        let session = token.family().to_string();
        let quota = Quota::per_minute(self.app.config().limits.refresh_per_minute_session);
        let counted = self.limiter.enforce(context, "refresh", &session, quota);
        tokio::try_join!(failures, counted)?;
        Ok(())
    }

    /// Counts a refresh token that was good for nothing against the limit of its client.
    pub(super) async fn count_failed_refresh(&self, context: &RequestContext) {
        let client = client_key(context.client_ip);
        // This token is refused either way; it is the next one that is not looked up.
        let _counted = self
            .limiter
            .enforce(context, REFRESH_FAILURES, &client, self.refresh_failures())
            .await;
    }

    fn refresh_failures(&self) -> Quota {
        Quota::per_minute(self.app.config().limits.refresh_failures_per_minute_client)
    }
}
