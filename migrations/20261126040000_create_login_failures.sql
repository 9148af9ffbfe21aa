-- Wrong passwords of the last minutes, and the locks that came of them: how often somebody may guess. A row is one group whose
-- failures count together. Nobody is named: keys are MACs, so that an address without an account leaves the same row as one with.

CREATE TABLE login_failures (
    key          bytea         NOT NULL,
    kind         text          NOT NULL,
    tenant_id    uuid,
    account      bytea,
    failed_at    timestamptz[] NOT NULL,
    locked_until timestamptz,
    forget_at    timestamptz   NOT NULL,

    CONSTRAINT login_failures_pkey PRIMARY KEY (key),
    CONSTRAINT login_failures_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT login_failures_key_length_check CHECK (octet_length(key) = 32),
    CONSTRAINT login_failures_account_length_check CHECK (octet_length(account) = 32),
    CONSTRAINT login_failures_kind_check CHECK (kind IN ('account', 'device', 'holder', 'client')),
    -- A client belongs to no tenant, and is nobody's.
    CONSTRAINT login_failures_owner_check CHECK (
        (kind = 'client') = (tenant_id IS NULL) AND (kind = 'client') = (account IS NULL)),
    CONSTRAINT login_failures_failed_at_check CHECK (
        cardinality(failed_at) <= 1000 AND array_position(failed_at, NULL) IS NULL),
    -- While a lock is on nothing is counted, and it is not forgotten before its end.
    CONSTRAINT login_failures_locked_until_check CHECK (
        locked_until IS NULL OR (cardinality(failed_at) = 0 AND forget_at >= locked_until))
);

-- What ends all locks of an account.
CREATE INDEX login_failures_account_idx ON login_failures (account) WHERE account IS NOT NULL;
-- The purge walks this.
CREATE INDEX login_failures_forget_at_idx ON login_failures (forget_at);

COMMENT ON TABLE login_failures IS 'Who has guessed passwords wrong within the last minutes, and who is locked for it.';
COMMENT ON COLUMN login_failures.key IS 'HMAC-SHA256, under a key derived from the master key, of what counts together.';
COMMENT ON COLUMN login_failures.kind IS 'account: sign-ins from unknown devices; device: from one that the account knows; holder: wrong current passwords of who is signed in; client: sign-ins from one network address.';
COMMENT ON COLUMN login_failures.account IS 'The same MAC for all groups of one address, whether there is an account with it or not.';
COMMENT ON COLUMN login_failures.failed_at IS 'The failures that still count.';
COMMENT ON COLUMN login_failures.locked_until IS 'Until when every attempt is refused, a right password too.';
COMMENT ON COLUMN login_failures.forget_at IS 'From when on the row says nothing any more, and is purged.';
