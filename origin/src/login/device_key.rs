//! Somebody who signs in by a key of their device, or proves once more who they are by one.

use uuid::Uuid;

use crate::accounts;
use crate::device_keys::{self, DeviceKey, Genuine, PublicKey, Purpose, Signed};
use crate::devices::PresentedDevice;
use crate::http::RequestContext;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{DeviceKeyId, Id as _};
use crate::sessions::Authentication;
use crate::tokens::CurrentUser;

use super::challenge::standing;
use super::desk::Desk;
use super::error::LoginError;
use super::model::{Outcome, SignedIn};

impl Desk {
    /// Checks a signature, and opens a session or asks for the second factor of the account, as after a password.
    pub(super) async fn login_by_device_key(
        &self,
        context: &RequestContext,
        signed: &Signed,
        device: &PresentedDevice,
    ) -> Result<Outcome, LoginError> {
        let purpose = Purpose::SignIn(&signed.credential);
        let mut connection = self.app.pool().acquire().await?;
        let tenant = accounts::tenant(&mut connection, self.tenant_slug(context)).await?;
        let (key, challenge) = self.signature(&mut connection, context, signed, purpose).await?;
        drop(connection);
        if key.tenant != tenant {
            return Err(LoginError::InvalidSignature);
        }

        let mut transaction = self.app.pool().begin().await?;
        let user = accounts::lock_by_id(&mut transaction, key.tenant, key.user)
            .await?
            .ok_or(LoginError::InvalidSignature)?;
        use_up(&mut transaction, context, &key, challenge).await?;
        if let Err(refusal) = standing(&user) {
            return Self::refuse_answer(transaction, context, &user, refusal).await;
        }
        let proved = Authentication::by_device_key(context.now);
        let methods = Self::second_factor(&user);
        if methods.is_empty() {
            let signed_in = self
                .let_in(transaction, context, user, device, proved, true)
                .await?;
            return Ok(Outcome::SignedIn(Box::new(signed_in)));
        }
        match self
            .challenge(&mut transaction, context, &user, device, methods, proved.amr)
            .await
        {
            Ok(challenged) => {
                transaction.commit().await?;
                Ok(Outcome::Challenged(challenged))
            }
            Err(refusal @ LoginError::Locked(_)) => {
                Self::refuse_answer(transaction, context, &user, refusal).await
            }
            Err(error) => Err(error),
        }
    }

    /// For an account without a second factor: with one, a key alone would be the weaker way, since nobody knows what the device asks before it signs.
    pub(super) async fn step_up_by_device_key(
        &self,
        context: &RequestContext,
        caller: &CurrentUser,
        signed: &Signed,
    ) -> Result<SignedIn, LoginError> {
        if caller.user.mfa_enabled {
            return Err(LoginError::UnavailableMethod);
        }
        let purpose = Purpose::StepUp(caller.session.id);
        let mut connection = self.app.pool().acquire().await?;
        let (key, challenge) = self.signature(&mut connection, context, signed, purpose).await?;
        drop(connection);
        if key.user != caller.user.id || key.tenant != caller.user.tenant_id {
            return Err(LoginError::InvalidSignature);
        }
        let mut transaction = self.app.pool().begin().await?;
        let user = accounts::lock_by_id(&mut transaction, key.tenant, key.user)
            .await?
            .filter(|user| !user.mfa_enabled)
            .ok_or(LoginError::UnavailableMethod)?;
        use_up(&mut transaction, context, &key, challenge).await?;
        let proved = caller.session.authentication.repeated("swk", context.now);
        let (session, token) = self
            .note_proof(&mut transaction, context, caller, &user, proved, "biometric")
            .await?;
        transaction.commit().await?;
        self.welcome_back(context, user, &session, token).await
    }

    /// The key that has signed a challenge of ours for this purpose. Where there is no such key, another one is tried: the work is the same.
    async fn signature(
        &self,
        connection: &mut PgConnection,
        context: &RequestContext,
        signed: &Signed,
        purpose: Purpose<'_>,
    ) -> Result<(DeviceKey, Genuine), LoginError> {
        // What is no identifier is nobody's.
        let id = signed
            .credential
            .parse()
            .unwrap_or_else(|_| DeviceKeyId::from_uuid(Uuid::nil()));
        let found = device_keys::find(connection, id).await?;
        let nobody = PublicKey::of_nobody();
        let key = found.as_ref().map_or(&nobody, |found| &found.key);
        let is_signed = key.has_signed(&signed.challenge, &signed.signature);
        let challenge = self
            .device_challenges
            .recognise(&signed.challenge, purpose, context.now);
        match (found, challenge) {
            (Some(found), Some(challenge)) if is_signed && found.client_device == signed.client_device => {
                Ok((found, challenge))
            }
            _ => Err(LoginError::InvalidSignature),
        }
    }
}

/// Uses a challenge up by a key of an account that the caller has locked.
async fn use_up(
    transaction: &mut PgConnection,
    context: &RequestContext,
    key: &DeviceKey,
    challenge: Genuine,
) -> Result<(), LoginError> {
    let is_there = device_keys::use_key(transaction, key, context.now).await?;
    if is_there && device_keys::spend(transaction, challenge).await? {
        Ok(())
    } else {
        Err(LoginError::InvalidSignature)
    }
}
