-- What triggers wrote for this transaction.
SELECT 'put', 'public.audit', ROW(id)::text, revision, md5(r::text) FROM public.audit AS r WHERE tx = :tx
UNION ALL SELECT 'draw', 'public.audit_id_seq', id::text, NULL, NULL FROM public.audit WHERE tx = :tx
