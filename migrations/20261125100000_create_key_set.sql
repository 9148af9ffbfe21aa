CREATE TABLE key_set (
    id              smallint NOT NULL DEFAULT 1,
    version         bigint   NOT NULL,
    minimum_version bigint   NOT NULL,

    CONSTRAINT key_set_pkey PRIMARY KEY (id),
    CONSTRAINT key_set_id_check CHECK (id = 1),
    CONSTRAINT key_set_version_check CHECK (version >= 1),
    CONSTRAINT key_set_minimum_version_check CHECK (minimum_version BETWEEN 0 AND version)
);

COMMENT ON TABLE key_set IS 'The one key set that is published: its row is locked by whoever changes which keys are in it.';
COMMENT ON COLUMN key_set.id IS 'Always 1: there is one row.';
COMMENT ON COLUMN key_set.version IS 'Counts up when a key enters the set, or is taken out of it by hand.';
COMMENT ON COLUMN key_set.minimum_version IS 'Verifiers must not use an older set: a key was taken out of it before its time.';

INSERT INTO key_set (version, minimum_version) VALUES (1, 0);

-- One key waits for its turn, whatever two operators or replicas do at the same moment.
CREATE UNIQUE INDEX signing_keys_next_key ON signing_keys (state) WHERE state = 'next';
