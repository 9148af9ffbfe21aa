-- A service client may end a session, by revoking one of its tokens (RFC 7009).
--
-- IF EXISTS, because each migration that extends the list replaces it whole; the new list has all that the old one
-- had, so that every row passes.

ALTER TABLE sessions
    DROP CONSTRAINT IF EXISTS sessions_revoked_reason_check,
    ADD CONSTRAINT sessions_revoked_reason_check
        CHECK (revoked_reason IN ('logout', 'refresh_token_reused', 'client_revoked'));
