-- Whether this cluster is a clone that this release adopted, and never opened to applications.
SELECT EXISTS (SELECT FROM bluegreen.adoption WHERE release_id = :release_id)
       AND NOT EXISTS (SELECT FROM bluegreen.opening WHERE outcome = 'open') AS never_opened
