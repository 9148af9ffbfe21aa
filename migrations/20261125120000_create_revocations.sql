-- What the edge is told about access tokens that must no longer pass, and the numbers in which it is told.

CREATE TABLE revocation_state (
    singleton boolean NOT NULL DEFAULT true,
    epoch     bigint  NOT NULL,
    seq       bigint  NOT NULL,

    CONSTRAINT revocation_state_pkey PRIMARY KEY (singleton),
    CONSTRAINT revocation_state_singleton_check CHECK (singleton),
    CONSTRAINT revocation_state_epoch_check CHECK (epoch >= 0),
    CONSTRAINT revocation_state_seq_check CHECK (seq >= 0)
)
-- Written with each revocation; room on the page lets the row stay there (a HOT update).
WITH (fillfactor = 50);

INSERT INTO revocation_state (epoch, seq) VALUES (1, 0);

COMMENT ON TABLE revocation_state IS 'One row: the newest number of the revocation feed. Whoever publishes holds its lock until the commit.';
COMMENT ON COLUMN revocation_state.epoch IS 'Which life of this database the numbers belong to. Raised when the database was set back to an earlier state.';
COMMENT ON COLUMN revocation_state.seq IS 'The greatest number in revocations that was ever given out.';

CREATE TABLE revocations (
    seq          bigint      NOT NULL,
    tenant_id    uuid        NOT NULL,
    session_id   uuid,
    user_id      uuid,
    not_before   timestamptz,
    published_at timestamptz NOT NULL,

    CONSTRAINT revocations_pkey PRIMARY KEY (seq),
    -- The only foreign key: a session or an account that is removed does not take back what was said of its tokens.
    CONSTRAINT revocations_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT revocations_seq_check CHECK (seq > 0),
    CONSTRAINT revocations_about_check CHECK (num_nonnulls(session_id, user_id) = 1),
    CONSTRAINT revocations_not_before_check CHECK ((not_before IS NULL) = (user_id IS NULL))
);

-- The purge walks this, and a snapshot leaves out what lies before its start.
CREATE INDEX revocations_published_at_idx ON revocations (published_at);

COMMENT ON TABLE revocations IS 'Entries of the revocation feed: a session that has ended, or an account whose older tokens are stale. Purged when no such token can be alive.';
COMMENT ON COLUMN revocations.not_before IS 'Tokens of user_id that were issued before this moment are stale. Whole seconds.';
