-- Notes on green a statement by which it followed blue.
INSERT INTO bluegreen.repair (statement) VALUES (:statement)
