-- What the demo changes on green while eight clients write to blue.
ALTER TABLE accounts ADD COLUMN opened_by text NOT NULL DEFAULT 'branch';
CREATE INDEX CONCURRENTLY transfers_by_payer ON transfers (payer, booked_at);
