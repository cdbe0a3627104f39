-- The database's limit: the benchmark's nested page as one statement that gives JSON, written by
-- hand for this one query. `{{TENANT}}` is replaced by the tenant's id.
select json_agg(row_to_json(page)) from (
    select l.id, l.name, l.status, l.score, l.source, l.created_at as "createdAt",
           (select row_to_json(x) from (select c.id, c.name where c.id is not null) x) as company,
           (select row_to_json(x) from (select p.id, p.full_name as "fullName", p.email
                                        where p.id is not null) x) as contact,
           (select json_build_object('nodes', coalesce(json_agg(row_to_json(x)), '[]'::json))
            from (select d.id, d.title, d.value::text as value, d.currency, d.status,
                         json_build_object('id', s.id, 'name', s.name) as stage
                  from deals d
                  join pipeline_stages s on s.tenant_id = '{{TENANT}}' and s.id = d.stage_id
                  where d.tenant_id = '{{TENANT}}' and d.lead_id = l.id and d.deleted_at is null
                  order by d.created_at desc, d.id desc limit 10) x) as deals
    from (select id, name, status, score, source, created_at, company_id, contact_id
          from leads
          where tenant_id = '{{TENANT}}' and deleted_at is null
          order by created_at desc, id desc limit 50) l
    left join companies c
        on c.tenant_id = '{{TENANT}}' and c.id = l.company_id and c.deleted_at is null
    left join contacts p
        on p.tenant_id = '{{TENANT}}' and p.id = l.contact_id and p.deleted_at is null
    order by l.created_at desc, l.id desc) page;
