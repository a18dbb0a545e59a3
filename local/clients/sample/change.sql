-- What the demo changes on green while eight clients write to blue.
ALTER TABLE sales.returns ADD COLUMN received_at text NOT NULL DEFAULT 'the branch';
CREATE INDEX CONCURRENTLY transfers_by_payer ON transfers (payer, booked_at);
