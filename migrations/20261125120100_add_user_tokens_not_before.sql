ALTER TABLE users ADD COLUMN tokens_not_before timestamptz;

COMMENT ON COLUMN users.tokens_not_before IS 'Access tokens that were issued before this moment are stale: what they say of the account has changed since. Whole seconds. Null: it never has.';
