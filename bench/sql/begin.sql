-- What every script that loads rows of a tenant begins with.
--
-- Variables: tenant (slug), tables (those to be loaded, between spaces).
-- Nothing is drawn by chance: every choice is a digest of the row's number, so that two machines
-- load the same rows and two runs measure the same work. Ids are UUID v7 whose time is created_at.
-- Foreign keys are right by construction and not looked up again row by row.

\set ON_ERROR_STOP on
set session_replication_role = replica;
set maintenance_work_mem = '512MB';
set work_mem = '128MB';

-- A number below `choices`.
create function pg_temp.draw(salt text, n bigint, choices bigint) returns bigint
language sql immutable as $$
    select ('x' || substr(md5(salt || n), 1, 15))::bit(60)::bigint % choices
$$;

create function pg_temp.identify(at timestamptz, salt text, n bigint) returns uuid
language sql immutable as $$
    select (lpad(to_hex(round(extract(epoch from at) * 1000)::bigint), 12, '0')
        || '7' || substr(md5(salt || n), 1, 3)
        || substr('89ab', 1 + pg_temp.draw(salt, n, 4)::integer, 1)
        || substr(md5(salt || n), 4, 15))::uuid
$$;

select id as tenant_id from tenants where slug = :'tenant' \gset

-- Secondary indexes are built once at the end instead of row by row.
create temporary table kept_index as
select i.indexname, i.indexdef
from pg_indexes i
where i.schemaname = 'public'
  and i.tablename = any (string_to_array(:'tables', ' '))
  and not exists (select 1 from pg_constraint c where c.conname = i.indexname);
select format('drop index %I', indexname) from kept_index \gexec
