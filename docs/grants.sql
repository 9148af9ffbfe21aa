-- What a server needs of a database whose tables another role owns: `psql --set=role=portcullis_server --file=docs/grants.sql`,
-- as that owner, after each `portcullis migrate`. The server can then write audit events, and neither change nor remove any.

GRANT USAGE ON SCHEMA public TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"role";
REVOKE INSERT, UPDATE, DELETE ON _sqlx_migrations FROM :"role";

REVOKE UPDATE, DELETE ON audit_events FROM :"role";
REVOKE INSERT, UPDATE, DELETE ON audit_chains, audit_links FROM :"role";
-- They run with their owner's rights: the months to come, months that are too old (never younger than 30 days), and the
-- origins of an account that is purged.
GRANT EXECUTE ON FUNCTION audit_create_partitions, audit_remove_events, audit_remove_links, audit_pseudonymise TO :"role";

-- The queue of jobs.
GRANT USAGE ON SCHEMA graphile_worker TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA graphile_worker TO :"role";
GRANT USAGE ON ALL SEQUENCES IN SCHEMA graphile_worker TO :"role";
