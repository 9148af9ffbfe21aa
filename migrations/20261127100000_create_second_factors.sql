-- Second factors: a code of an authenticator app, and codes on paper for when that is lost.

ALTER TABLE users ADD COLUMN mfa_enabled boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN users.mfa_enabled IS 'Whether signing in takes a second factor: whether the account has one in totp_factors that is enabled.';

CREATE TABLE totp_factors (
    id            uuid        NOT NULL,
    tenant_id     uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    sealed        bytea       NOT NULL,
    master_key_id text        NOT NULL,
    created_at    timestamptz NOT NULL,
    pending_until timestamptz,
    enabled_at    timestamptz,
    last_step     bigint,

    CONSTRAINT totp_factors_pkey PRIMARY KEY (id),
    -- One for each account; a set-up that is begun anew takes the place of the one before.
    CONSTRAINT totp_factors_tenant_id_user_id_key UNIQUE (tenant_id, user_id),
    CONSTRAINT totp_factors_tenant_id_user_id_id_key UNIQUE (tenant_id, user_id, id),
    CONSTRAINT totp_factors_user_id_fkey FOREIGN KEY (tenant_id, user_id)
        REFERENCES users (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT totp_factors_state_check CHECK ((pending_until IS NULL) = (enabled_at IS NOT NULL))
);

-- `portcullis keys rewrap` walks this.
CREATE INDEX totp_factors_master_key_id_idx ON totp_factors (master_key_id, id);

COMMENT ON TABLE totp_factors IS 'Authenticator apps (RFC 6238). One that is not confirmed within ten minutes never was.';
COMMENT ON COLUMN totp_factors.sealed IS 'The secret of the app and the key of its backup codes, under the master key.';
COMMENT ON COLUMN totp_factors.pending_until IS 'Until when the set-up can be confirmed; null once it is.';
COMMENT ON COLUMN totp_factors.enabled_at IS 'Since when it is asked for; null while it is being set up.';
COMMENT ON COLUMN totp_factors.last_step IS 'The last time step of which a code was taken: no code of it or before is taken again.';

CREATE TABLE backup_codes (
    factor_id  uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    digest     bytea       NOT NULL,
    created_at timestamptz NOT NULL,

    CONSTRAINT backup_codes_pkey PRIMARY KEY (factor_id, digest),
    CONSTRAINT backup_codes_factor_id_fkey FOREIGN KEY (tenant_id, user_id, factor_id)
        REFERENCES totp_factors (tenant_id, user_id, id) ON DELETE CASCADE,
    CONSTRAINT backup_codes_digest_length_check CHECK (octet_length(digest) = 32)
);

COMMENT ON TABLE backup_codes IS 'Codes that stand in for an authenticator app, each once: a used one is gone.';
COMMENT ON COLUMN backup_codes.digest IS 'HMAC-SHA256 of the code, under the key that is sealed with the factor.';

-- Supersets of what was allowed, so that the previous release goes on writing.
ALTER TABLE sign_in_challenges
    DROP CONSTRAINT sign_in_challenges_methods_check,
    ADD CONSTRAINT sign_in_challenges_methods_check CHECK (
        cardinality(methods) > 0 AND methods <@ ARRAY ['email_code', 'totp', 'backup_code']);

ALTER TABLE sessions
    DROP CONSTRAINT sessions_revoked_reason_check,
    ADD CONSTRAINT sessions_revoked_reason_check CHECK (revoked_reason IN (
        'logout', 'refresh_token_reused', 'user_revoked', 'all_revoked', 'account_locked', 'account_disabled',
        'account_deleted', 'password_changed', 'password_reset', 'client_revoked', 'factors_changed'));

COMMENT ON COLUMN sessions.revoked_reason IS 'logout: its holder signed out; refresh_token_reused: its token was in two hands; user_revoked, all_revoked: its holder ended it from elsewhere; account_locked, account_disabled: an operator did; account_deleted: with its account; password_changed: with the password it was opened by; password_reset: with the password that was forgotten; client_revoked: a service client did (RFC 7009); factors_changed: another session changed what signing in takes.';
