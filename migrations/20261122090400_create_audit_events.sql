CREATE TABLE audit_events (
    id          uuid        NOT NULL,
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    tenant_id   uuid,
    type        text        NOT NULL,
    actor_id    uuid,
    subject_id  uuid,
    session_id  uuid,
    ip_address  inet,
    user_agent  text,
    request_id  text,
    detail      jsonb       NOT NULL DEFAULT '{}',
    occurred_at timestamptz NOT NULL,

    CONSTRAINT audit_events_pkey PRIMARY KEY (id),
    CONSTRAINT audit_events_seq_key UNIQUE (seq),
    -- The only foreign key: users and sessions are purged, what happened to them is not.
    CONSTRAINT audit_events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT audit_events_type_check CHECK (type ~ '^[a-z][a-z_]{0,63}$'),
    CONSTRAINT audit_events_user_agent_length_check CHECK (char_length(user_agent) <= 512),
    CONSTRAINT audit_events_request_id_length_check CHECK (char_length(request_id) <= 64),
    CONSTRAINT audit_events_detail_check CHECK (jsonb_typeof(detail) = 'object')
);

CREATE INDEX audit_events_tenant_id_subject_id_idx ON audit_events (tenant_id, subject_id, seq);

COMMENT ON TABLE audit_events IS 'What happened, append-only: rows can be neither changed nor deleted.';
COMMENT ON COLUMN audit_events.seq IS 'The order of insertion; gaps are transactions that were rolled back.';
COMMENT ON COLUMN audit_events.tenant_id IS 'Null for what concerns the whole installation, such as its signing keys.';
COMMENT ON COLUMN audit_events.actor_id IS 'Who did it. Null: nobody signed in, or the operator.';
COMMENT ON COLUMN audit_events.subject_id IS 'Whose account it concerns. Null: no known account.';
COMMENT ON COLUMN audit_events.detail IS 'What else is worth keeping about this type of event; never a secret.';

CREATE FUNCTION audit_events_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are append-only'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_events_append_only', TABLE = 'audit_events';
END
$$;

-- A trigger holds for the owner of the table too, which a revoked grant would not.
CREATE TRIGGER audit_events_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION audit_events_refuse_change();
