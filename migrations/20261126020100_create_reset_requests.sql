-- Wishes for a new password, between the answer, which is the same for everybody, and the job that finds out whose they are.

CREATE TABLE reset_requests (
    id           uuid        NOT NULL,
    tenant_id    uuid        NOT NULL,
    email        text        NOT NULL,
    requested_at timestamptz NOT NULL,

    CONSTRAINT reset_requests_pkey PRIMARY KEY (id),
    CONSTRAINT reset_requests_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT reset_requests_email_length_check CHECK (char_length(email) BETWEEN 3 AND 254)
);

-- The purge walks this.
CREATE INDEX reset_requests_requested_at_idx ON reset_requests (requested_at);

COMMENT ON TABLE reset_requests IS 'Addresses that somebody has asked a new password for; gone as soon as a job has looked for the account.';
COMMENT ON COLUMN reset_requests.email IS 'ASCII in lower case, as in users. There may be no account with it.';
