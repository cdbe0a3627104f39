-- Roles that read the same records within each scope, and rows that all belong to one user, so that
-- every scope shows the same rows: what differs is the price of the rule.
insert into roles (tenant_id, id, name, description, permissions, created_at, updated_at)
select t.id, gen_random_uuid(), 'bench_' || scope.name, 'Reads within one scope',
       jsonb_object_agg(resource.name, jsonb_build_object('read', scope.name)), now(), now()
from tenants t
cross join (values ('all'), ('own'), ('team'), ('org_unit')) scope (name)
cross join (values ('leads'), ('companies'), ('contacts'), ('deals'), ('pipeline_stages'))
           resource (name)
where t.slug = 'bench'
group by t.id, scope.name;

insert into org_units (tenant_id, id, name, name_folded, created_at, updated_at, search_text)
select id, gen_random_uuid(), 'Vendas', 'vendas', now(), now(), ' vendas '
from tenants where slug = 'bench';

create temporary table boss as
select u.tenant_id, u.id from users u join tenants t on t.id = u.tenant_id
where t.slug = 'bench' and u.email = 'vendedor1@bench.example';

update users u set org_unit_id = o.id, manager_id = case when u.id = b.id then null else b.id end
from boss b join org_units o on o.tenant_id = b.tenant_id where u.tenant_id = b.tenant_id;
update leads r set assigned_to = b.id from boss b where r.tenant_id = b.tenant_id;
update companies r set owner_id = b.id from boss b where r.tenant_id = b.tenant_id;
update contacts r set owner_id = b.id from boss b where r.tenant_id = b.tenant_id;
update deals r set owned_by = b.id from boss b where r.tenant_id = b.tenant_id;
