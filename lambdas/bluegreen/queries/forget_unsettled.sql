-- They were looked at again.
DELETE FROM bluegreen.unsettled_row
