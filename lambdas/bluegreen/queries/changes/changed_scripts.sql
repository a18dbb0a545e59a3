-- The scripts of this database that are done.
SELECT key, sha256 FROM bluegreen.changed_script
