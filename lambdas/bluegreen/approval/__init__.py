"""Asking people, and taking their answers: the request, its signed link, the page, and what counts as an approval.

The task token, which lets a release go on, is known to Step Functions, the table and three functions, and to no mail,
page or person. What people hold is a link that is signed, expires, and is good for one decision, or the permission to
call a function. The room downwards: ``page`` and ``requesting``, then ``answering``, then ``store`` (DynamoDB),
``links`` (signatures), ``deciding`` (pure).
"""
