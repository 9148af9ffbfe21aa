-- The audit log becomes a table of monthly partitions, and each tenant's events a chain of hashes.
-- docs/audit.md says what is hashed, byte for byte; decision 27 says why it is so.

-- Partitions have a schema of their own: nobody names them but the functions below.
CREATE SCHEMA audit_log;
-- The table as it was, out of the way of its successor.
ALTER TABLE audit_events SET SCHEMA audit_log;

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
    salt        uuid,
    origin      bytea,

    CONSTRAINT audit_events_pkey PRIMARY KEY (id, occurred_at),
    -- The only foreign key: users and sessions are purged, what happened to them is not.
    CONSTRAINT audit_events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT audit_events_type_check CHECK (type ~ '^[a-z][a-z_]{0,63}$'),
    CONSTRAINT audit_events_user_agent_length_check CHECK (char_length(user_agent) <= 512),
    CONSTRAINT audit_events_request_id_length_check CHECK (char_length(request_id) <= 64),
    CONSTRAINT audit_events_detail_check CHECK (jsonb_typeof(detail) = 'object')
) PARTITION BY RANGE (occurred_at);

CREATE INDEX audit_events_tenant_id_subject_id_idx ON audit_events (tenant_id, subject_id, seq);
-- What an account did to others, which pseudonymisation looks for.
CREATE INDEX audit_events_tenant_id_actor_id_idx ON audit_events (tenant_id, actor_id)
    WHERE actor_id IS DISTINCT FROM subject_id;

COMMENT ON TABLE audit_events IS 'What happened, append-only. Partitions by month are in the schema audit_log; retention drops whole ones.';
COMMENT ON COLUMN audit_events.seq IS 'The order of insertion; gaps are transactions that were rolled back. The order of the chain is audit_links.position.';
COMMENT ON COLUMN audit_events.tenant_id IS 'Null for what concerns the whole installation, such as its signing keys.';
COMMENT ON COLUMN audit_events.actor_id IS 'Who did it. Null: nobody signed in, or the operator.';
COMMENT ON COLUMN audit_events.subject_id IS 'Whose account it concerns. Null: no known account.';
COMMENT ON COLUMN audit_events.ip_address IS 'Erased, with user_agent and salt, when the account is purged. Nothing else of a row ever changes.';
COMMENT ON COLUMN audit_events.detail IS 'What else is worth keeping about this type of event; never a secret, and no fractions.';
COMMENT ON COLUMN audit_events.salt IS 'Random; without it origin tells nothing about ip_address and user_agent.';
COMMENT ON COLUMN audit_events.origin IS 'SHA-256 of ip_address, salt and user_agent: what the chain knows of them. Null where there is neither.';

CREATE TABLE audit_chains (
    id               uuid        NOT NULL,
    tenant_id        uuid,
    position         bigint      NOT NULL DEFAULT 0,
    hash             bytea       NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    linked_at        timestamptz NOT NULL DEFAULT '-infinity',
    removed_position bigint      NOT NULL DEFAULT 0,
    removed_hash     bytea       NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    removed_before   timestamptz NOT NULL DEFAULT '-infinity',

    CONSTRAINT audit_chains_pkey PRIMARY KEY (id),
    CONSTRAINT audit_chains_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT audit_chains_id_check CHECK (id = coalesce(tenant_id, '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT audit_chains_position_check CHECK (removed_position BETWEEN 0 AND position)
)
-- Written with each event; room on the page lets the rows stay there (HOT updates).
WITH (fillfactor = 25);

COMMENT ON TABLE audit_chains IS 'The head of each chain of audit events: one for each tenant, and one for the installation. Whoever appends holds its lock for the length of a commit.';
COMMENT ON COLUMN audit_chains.id IS 'The tenant, or 0 for the installation.';
COMMENT ON COLUMN audit_chains.position IS 'That of the newest link; hash and linked_at are that link''s.';
COMMENT ON COLUMN audit_chains.removed_position IS 'That of the newest link that retention has removed, where the rest of the chain begins; removed_hash is its hash.';
COMMENT ON COLUMN audit_chains.removed_before IS 'Retention has removed events that occurred before.';

CREATE TABLE audit_links (
    chain_id    uuid        NOT NULL,
    position    bigint      NOT NULL,
    event_id    uuid        NOT NULL,
    occurred_at timestamptz NOT NULL,
    linked_at   timestamptz NOT NULL,
    digest      bytea       NOT NULL,
    prev_hash   bytea       NOT NULL,
    hash        bytea       NOT NULL,

    CONSTRAINT audit_links_pkey PRIMARY KEY (chain_id, position, linked_at),
    CONSTRAINT audit_links_position_check CHECK (position > 0)
) PARTITION BY RANGE (linked_at);

COMMENT ON TABLE audit_links IS 'The chains of audit events. hash is SHA-256 of prev_hash and digest, digest SHA-256 of what the event says.';
COMMENT ON COLUMN audit_links.linked_at IS 'The latest occurred_at up to this position, so that a chain lies in its partitions in order.';

-- JSON in one form only: names sorted by code point, no spaces, nothing escaped that need not be.
CREATE FUNCTION audit_canonical(value jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = public, pg_temp AS $$
BEGIN
    CASE jsonb_typeof(value)
        WHEN 'object' THEN
            RETURN '{' || coalesce((
                SELECT string_agg(to_json(key)::text || ':' || audit_canonical(member), ',' ORDER BY key COLLATE "C")
                FROM jsonb_each(value) AS members (key, member)), '') || '}';
        WHEN 'array' THEN
            RETURN '[' || coalesce((
                SELECT string_agg(audit_canonical(item), ',' ORDER BY place)
                FROM jsonb_array_elements(value) WITH ORDINALITY AS items (item, place)), '') || ']';
        ELSE
            RETURN value::text;
    END CASE;
END
$$;

CREATE FUNCTION audit_events_seal() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    chain text := coalesce(NEW.tenant_id, '00000000-0000-0000-0000-000000000000')::text;
    chains text := coalesce(current_setting('portcullis.audit_chains', true), '');
BEGIN
    NEW.salt := NULL;
    NEW.origin := NULL;
    IF num_nonnulls(NEW.ip_address, NEW.user_agent) > 0 THEN
        NEW.salt := gen_random_uuid();
        NEW.origin := sha256(convert_to(audit_canonical(jsonb_build_object(
            'ip', host(NEW.ip_address), 'salt', NEW.salt, 'userAgent', NEW.user_agent)), 'UTF8'));
    END IF;
    -- Until the transaction ends: the chains whose heads it will lock.
    IF strpos(chains, chain) = 0 THEN
        PERFORM set_config('portcullis.audit_chains', ltrim(chains || ',' || chain, ','), true);
    END IF;
    RETURN NEW;
END
$$;

-- Runs at the commit, so that a head is the last thing to be locked and not for long. With its owner's rights: nobody
-- else needs to write heads and links.
CREATE FUNCTION audit_events_link() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    chain uuid := coalesce(NEW.tenant_id, '00000000-0000-0000-0000-000000000000');
    chains uuid[] := string_to_array(nullif(current_setting('portcullis.audit_chains', true), ''), ',')::uuid[] || chain;
    head audit_chains;
    content bytea;
    digest bytea;
BEGIN
    -- All heads of the transaction in one order, lest two transactions wait for each other. Those that are missing are made
    -- before any is locked: so nobody who holds a head waits for one that is not there yet.
    INSERT INTO audit_chains (id, tenant_id)
    SELECT missing, nullif(missing, '00000000-0000-0000-0000-000000000000') FROM unnest(chains) AS missing
    WHERE NOT EXISTS (SELECT FROM audit_chains WHERE id = missing)
    ORDER BY missing
    ON CONFLICT DO NOTHING;
    PERFORM FROM audit_chains WHERE id = ANY (chains) ORDER BY id FOR NO KEY UPDATE;
    SELECT * INTO STRICT head FROM audit_chains WHERE id = chain FOR NO KEY UPDATE;
    digest := sha256(convert_to(audit_canonical(jsonb_build_object(
        'actor', NEW.actor_id,
        'at', to_char(NEW.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'detail', NEW.detail,
        'id', NEW.id,
        'origin', encode(NEW.origin, 'hex'),
        'requestId', NEW.request_id,
        'session', NEW.session_id,
        'subject', NEW.subject_id,
        'tenantId', NEW.tenant_id,
        'type', NEW.type)), 'UTF8'));
    UPDATE audit_chains
    SET position = head.position + 1,
        hash = sha256(head.hash || digest),
        linked_at = greatest(head.linked_at, NEW.occurred_at)
    WHERE id = chain;
    INSERT INTO audit_links (chain_id, position, event_id, occurred_at, linked_at, digest, prev_hash, hash)
    VALUES (chain, head.position + 1, NEW.id, NEW.occurred_at, greatest(head.linked_at, NEW.occurred_at), digest,
            head.hash, sha256(head.hash || digest));
    RETURN NULL;
END
$$;

CREATE FUNCTION audit_refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are append-only'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_ARGV[0], TABLE = TG_TABLE_NAME;
END
$$;

CREATE FUNCTION audit_events_refuse_all_but_erasure() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF num_nonnulls(NEW.ip_address, NEW.user_agent, NEW.salt) > 0 THEN
        RAISE EXCEPTION 'where an audit event came from can be erased, and not changed'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_events_erase_only', TABLE = 'audit_events';
    END IF;
    RETURN NEW;
END
$$;

-- A trigger holds for the owner of a table too, which a revoked grant would not. One for statements is not inherited, and
-- is made for each partition.
CREATE FUNCTION audit_guard(guarded regclass, kind text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER audit_%s_append_only BEFORE %s ON %s
         FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change(%L)',
        kind,
        CASE kind
            WHEN 'events' THEN
                'DELETE OR TRUNCATE OR UPDATE OF id, seq, tenant_id, type, actor_id, subject_id, session_id, request_id,
                 detail, occurred_at, origin'
            WHEN 'links' THEN 'DELETE OR TRUNCATE OR UPDATE'
            ELSE 'DELETE OR TRUNCATE'
        END,
        guarded,
        format('audit_%s_append_only', kind));
END
$$;

CREATE FUNCTION audit_attach(kind text, suffix text, bounds text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    name text := format('audit_log.%s_%s', kind, suffix);
BEGIN
    -- Made first and attached then, so that writers need not wait as they would for CREATE … PARTITION OF.
    EXECUTE format('CREATE TABLE %s (LIKE audit_%s INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name, kind);
    PERFORM audit_guard(name::regclass, kind);
    EXECUTE format('ALTER TABLE audit_%s ATTACH PARTITION %s %s', kind, name, bounds);
END
$$;

-- The partitions of the month of a moment and of the twelve that follow. Returns how many were missing.
CREATE FUNCTION audit_create_partitions(moment timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    kind text;
    first timestamp;
    suffix text;
    strays bigint;
    made bigint := 0;
BEGIN
    -- Replicas take turns.
    PERFORM pg_advisory_xact_lock(hashtext('portcullis.audit_partitions'));
    FOREACH kind IN ARRAY ARRAY['events', 'links'] LOOP
        FOR first IN SELECT date_trunc('month', moment AT TIME ZONE 'UTC') + n * interval '1 month'
                     FROM generate_series(0, 12) AS n
        LOOP
            suffix := to_char(first, 'YYYY_MM');
            CONTINUE WHEN to_regclass(format('audit_log.%s_%s', kind, suffix)) IS NOT NULL
                -- The months before the first partition of a month share one.
                OR first < (SELECT min(to_date(substr(relname, length(kind) + 2), 'YYYY_MM')) FROM pg_class
                            WHERE relnamespace = 'audit_log'::regnamespace AND relkind = 'r'
                              AND relname ~ format('^%s_\d{4}_\d{2}$', kind));
            -- A month that has begun in the default partition, because nobody was there to make its own, ends there.
            EXECUTE format('SELECT count(*) FROM audit_log.%s_other WHERE %I >= $1 AND %I < $2', kind,
                           CASE kind WHEN 'events' THEN 'occurred_at' ELSE 'linked_at' END,
                           CASE kind WHEN 'events' THEN 'occurred_at' ELSE 'linked_at' END)
            INTO strays USING first AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC';
            CONTINUE WHEN strays > 0;
            PERFORM audit_attach(kind, suffix, format('FOR VALUES FROM (%L) TO (%L)', first AT TIME ZONE 'UTC',
                                                      (first + interval '1 month') AT TIME ZONE 'UTC'));
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;

-- The partitions of one kind that end no later than a moment, of those that are attached.
CREATE FUNCTION audit_partitions_before(kind text, moment timestamptz) RETURNS TABLE (partition regclass)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT c.oid::regclass
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = ('audit_' || kind)::regclass
      AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''(.*)''\)')::timestamptz <= moment
$$;

-- The younger month is out of reach of whoever may call these, whatever they say is the time.
CREATE FUNCTION audit_assert_old(moment timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF moment > now() - interval '30 days' THEN
        RAISE EXCEPTION 'audit events are kept for 30 days at least'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_retention_check';
    END IF;
END
$$;

-- Drops the events of months that ended before. Their links are dropped by another transaction, since the two take their
-- locks in opposite orders. Returns how many events there were.
CREATE FUNCTION audit_remove_events(moment timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    partition regclass;
    here bigint;
    removed bigint := 0;
    upto timestamptz;
    bound timestamptz;
BEGIN
    PERFORM audit_assert_old(moment);
    FOR partition IN SELECT * FROM audit_partitions_before('events', moment) LOOP
        EXECUTE format('SELECT count(*) FROM %s', partition) INTO here;
        SELECT substring(pg_get_expr(relpartbound, oid) FROM 'TO \(''(.*)''\)') INTO bound
        FROM pg_class WHERE oid = partition;
        EXECUTE format('DROP TABLE %s', partition);
        removed := removed + here;
        upto := greatest(upto, bound);
    END LOOP;
    IF upto IS NOT NULL THEN
        PERFORM FROM audit_chains ORDER BY id FOR NO KEY UPDATE;
        UPDATE audit_chains SET removed_before = greatest(removed_before, upto);
    END IF;
    RETURN removed;
END
$$;

-- Drops the links of months that ended before, and keeps the last of each chain as the anchor of what follows.
CREATE FUNCTION audit_remove_links(moment timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    partition regclass;
BEGIN
    PERFORM audit_assert_old(moment);
    IF NOT EXISTS (SELECT FROM audit_partitions_before('links', moment)) THEN
        RETURN;
    END IF;
    -- Writers lock a head first and the links then.
    PERFORM FROM audit_chains ORDER BY id FOR NO KEY UPDATE;
    FOR partition IN SELECT * FROM audit_partitions_before('links', moment) LOOP
        EXECUTE format(
            'UPDATE audit_chains c SET removed_position = l.position, removed_hash = l.hash
             FROM (SELECT DISTINCT ON (chain_id) chain_id, position, hash FROM %s
                   ORDER BY chain_id, position DESC) l
             WHERE l.chain_id = c.id AND l.position > c.removed_position', partition);
        EXECUTE format('DROP TABLE %s', partition);
    END LOOP;
END
$$;

-- Forgets from where an account's events were caused. Returns how many events that were.
CREATE FUNCTION audit_pseudonymise(tenant uuid, account uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own bigint;
    others bigint;
BEGIN
    UPDATE audit_events SET ip_address = NULL, user_agent = NULL, salt = NULL
    WHERE tenant_id = tenant AND subject_id = account AND salt IS NOT NULL;
    GET DIAGNOSTICS own = ROW_COUNT;
    UPDATE audit_events SET ip_address = NULL, user_agent = NULL, salt = NULL
    WHERE tenant_id = tenant AND actor_id = account AND actor_id IS DISTINCT FROM subject_id AND salt IS NOT NULL;
    GET DIAGNOSTICS others = ROW_COUNT;
    RETURN own + others;
END
$$;

-- What runs with its owner's rights is for whoever is granted it.
REVOKE EXECUTE ON FUNCTION audit_create_partitions, audit_remove_events, audit_remove_links, audit_pseudonymise,
    audit_events_link FROM PUBLIC;

SELECT audit_guard('audit_events', 'events'), audit_guard('audit_links', 'links'), audit_guard('audit_chains', 'chains');

CREATE TRIGGER audit_events_seal BEFORE INSERT ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_seal();
CREATE TRIGGER audit_events_erase_only BEFORE UPDATE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION audit_events_refuse_all_but_erasure();
CREATE CONSTRAINT TRIGGER audit_events_link AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION audit_events_link();

-- What lies outside of the months: before the first, and where none was made in time. No insert fails for want of a partition.
SELECT audit_attach(kind, 'earlier', format('FOR VALUES FROM (MINVALUE) TO (%L)',
                                            date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC')),
       audit_attach(kind, 'other', 'DEFAULT')
FROM unnest(ARRAY['events', 'links']) AS kind;
SELECT audit_create_partitions(now());

INSERT INTO audit_chains (id) VALUES ('00000000-0000-0000-0000-000000000000');

-- The events so far are chained in the order in which they were written.
INSERT INTO audit_events (id, seq, tenant_id, type, actor_id, subject_id, session_id, ip_address, user_agent, request_id,
                          detail, occurred_at)
OVERRIDING SYSTEM VALUE
SELECT id, seq, tenant_id, type, actor_id, subject_id, session_id, ip_address, user_agent, request_id, detail, occurred_at
FROM audit_log.audit_events ORDER BY seq;
SELECT setval(pg_get_serial_sequence('public.audit_events', 'seq'), max(seq)) FROM audit_events HAVING max(seq) > 0;
SET CONSTRAINTS audit_events_link IMMEDIATE;

DROP TABLE audit_log.audit_events;
DROP FUNCTION audit_events_refuse_change();
