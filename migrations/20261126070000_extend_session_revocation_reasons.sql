-- A superset of what was allowed, so that the previous release goes on writing.
ALTER TABLE sessions
    DROP CONSTRAINT sessions_revoked_reason_check,
    ADD CONSTRAINT sessions_revoked_reason_check CHECK (revoked_reason IN (
        'logout', 'refresh_token_reused', 'user_revoked', 'all_revoked', 'account_locked', 'account_disabled',
        'account_deleted', 'password_changed', 'password_reset', 'client_revoked'));

COMMENT ON COLUMN sessions.revoked_reason IS 'logout: its holder signed out; refresh_token_reused: its token was in two hands; user_revoked, all_revoked: its holder ended it from elsewhere; account_locked, account_disabled: an operator did; account_deleted: with its account; password_changed: with the password it was opened by; password_reset: with the password that was forgotten; client_revoked: a service client did (RFC 7009).';
