-- A role that reads its own leads and deals only, so that row rules are in the measured path; of the
-- seed roles those of the sales side read all rows.
insert into roles (tenant_id, id, name, description, permissions, created_at, updated_at)
select r.tenant_id, gen_random_uuid(), 'bench_seller', 'Reads own leads and deals',
       jsonb_set(jsonb_set(r.permissions, '{leads,read}', '"own"'), '{deals,read}', '"own"'),
       now(), now()
from roles r join tenants t on t.id = r.tenant_id
where t.slug = 'bench' and r.name = 'comercial';
