-- The rows that every benchmark reads: one tenant's CRM, the same on every machine.
--
-- Variables: tenant (slug), users, companies, contacts, leads, deals (how many).
-- After begin.sql, in the same session.

-- One of `list`; early entries are more common than late ones, as names are.
create function pg_temp.name_of(list text[], salt text, n bigint) returns text
language sql immutable as $$
    select list[1 + (pg_temp.draw(salt, n, 1000000) * pg_temp.draw(salt || '2', n, 1000000)
                     * cardinality(list) / 1000000000000)::integer]
$$;

create function pg_temp.one_of(list text[], salt text, n bigint) returns text
language sql immutable as $$
    select list[1 + pg_temp.draw(salt, n, cardinality(list))::integer]
$$;

-- What the server's own folding gives for these texts: lower case, no accents, single spaces.
create function pg_temp.fold(value text) returns text
language sql immutable as $$
    select translate(lower(value), 'áàâãäéèêëíîïóôõöúûüçñ', 'aaaaaeeeeiiiioooouuucn')
$$;

-- Row n of `count`, spread evenly over the two years before the last day, to the millisecond.
create function pg_temp.moment(salt text, n bigint, count bigint) returns timestamptz
language sql immutable as $$
    select timestamptz '2026-10-31 12:00:00+00'
        - (count - n) * (63072000000 / count) * interval '1 millisecond'
        - pg_temp.draw(salt, n, 63072000000 / count) * interval '1 millisecond'
$$;

-- What a record is searched by: its folded words, each between spaces.
create function pg_temp.search_text(variadic words text[]) returns text
language sql immutable as $$
    select ' ' || array_to_string(words, ' ') || ' '
$$;

create temporary table given (names text[], surnames text[], trades text[], cities text[]);
insert into given values (
    array['João', 'Maria', 'José', 'Ana', 'Antônio', 'Francisca', 'Carlos', 'Adriana', 'Paulo',
          'Juliana', 'Pedro', 'Márcia', 'Lucas', 'Fernanda', 'Luiz', 'Patrícia', 'Marcos', 'Aline',
          'Luís', 'Sandra', 'Gabriel', 'Camila', 'Rafael', 'Amanda', 'Daniel', 'Bruna', 'Marcelo',
          'Jéssica', 'Bruno', 'Letícia', 'Eduardo', 'Júlia', 'Felipe', 'Luciana', 'Raimundo',
          'Vanessa', 'Rodrigo', 'Mariana', 'Manoel', 'Gabriela', 'Mateus', 'Vitória', 'André',
          'Larissa', 'Fernando', 'Cláudia', 'Fábio', 'Beatriz', 'Leonardo', 'Rita', 'Gustavo',
          'Luana', 'Guilherme', 'Sônia', 'Leandro', 'Renata', 'Tiago', 'Eliane', 'Anderson',
          'Josefa', 'Ricardo', 'Simone', 'Márcio', 'Natália', 'Jorge', 'Cristiane', 'Sebastião',
          'Carla', 'Alexandre', 'Débora', 'Roberto', 'Rosângela', 'Edson', 'Jaqueline', 'Diego',
          'Rosa', 'Vítor', 'Daniela', 'Sérgio', 'Aparecida', 'Cláudio', 'Marlene', 'Wanderléia'],
    array['Silva', 'Santos', 'Oliveira', 'Souza', 'Pereira', 'Ferreira', 'Lima', 'Alves', 'Costa',
          'Rodrigues', 'Gomes', 'Ribeiro', 'Almeida', 'Carvalho', 'Nascimento', 'Araújo', 'Barbosa',
          'Rocha', 'Cavalcanti', 'Dias', 'Moreira', 'Cardoso', 'Teixeira', 'Fernandes', 'Correia',
          'Castro', 'Monteiro', 'Andrade', 'Batista', 'Freitas', 'Vieira', 'Melo', 'Nunes',
          'Mendes', 'Moura', 'Ramos', 'Barros', 'Pinto', 'Campos', 'Azevedo', 'Machado', 'Miranda',
          'Fonseca', 'Guimarães', 'Tavares', 'Magalhães', 'Brandão', 'Siqueira', 'Assunção',
          'Quaresma'],
    array['Tecnologia', 'Comércio', 'Serviços', 'Consultoria', 'Engenharia', 'Logística',
          'Alimentos', 'Educação', 'Saúde', 'Marketing', 'Construções', 'Transportes', 'Móveis',
          'Indústria', 'Turismo', 'Farmácia', 'Automação', 'Agropecuária', 'Têxtil', 'Energia'],
    array['São Paulo/SP', 'Rio de Janeiro/RJ', 'Belo Horizonte/MG', 'Curitiba/PR', 'Salvador/BA',
          'Fortaleza/CE', 'Recife/PE', 'Porto Alegre/RS', 'Goiânia/GO', 'Campinas/SP',
          'Florianópolis/SC', 'Brasília/DF', 'Belém/PA', 'Manaus/AM', 'Vitória/ES', 'Niterói/RJ',
          'Ribeirão Preto/SP', 'Uberlândia/MG', 'Londrina/PR', 'Joinville/SC']);

begin;

create temporary table new_user as
select n, pg_temp.moment('user', n, :users) as made,
       pg_temp.identify(pg_temp.moment('user', n, :users), :'tenant' || 'user', n) as id,
       pg_temp.name_of(names, 'ug', n) || ' ' || pg_temp.name_of(surnames, 'us', n) as full_name
from generate_series(1, :users) n, given;
create unique index on new_user (n);

insert into users (tenant_id, id, full_name, full_name_folded, email, created_at, updated_at,
                   search_text)
select :'tenant_id', id, full_name, pg_temp.fold(full_name),
       'vendedor' || n || '@' || :'tenant' || '.example', made, made,
       pg_temp.search_text(pg_temp.fold(full_name), 'vendedor' || n || '@' || :'tenant' || '.example')
from new_user;

create temporary table new_company as
select n, pg_temp.moment('company', n, :companies) as made,
       pg_temp.identify(pg_temp.moment('company', n, :companies), :'tenant' || 'company', n) as id,
       pg_temp.name_of(surnames, 'cs', n) || ' ' || pg_temp.one_of(trades, 'ct', n)
           || pg_temp.one_of(array[' Ltda', ' S.A.', ' ME', ' e Filhos'], 'cl', n) as name,
       pg_temp.name_of(surnames, 'cs', n) || pg_temp.draw('cn', n, 900) as trade_name,
       pg_temp.name_of(cities, 'cc', n) as city,
       lpad((10000000 + n)::text, 8, '0') || '0001' || lpad((n % 97)::text, 2, '0') as cnpj
from generate_series(1, :companies) n, given;
create unique index on new_company (n);

insert into companies (tenant_id, id, name, name_folded, trade_name, trade_name_folded, cnpj,
                       segment, size, website, address_city, address_city_folded, address_state,
                       country, source, employees, annual_revenue, currency, founded_year, owner_id,
                       metadata, created_at, updated_at, search_text)
select :'tenant_id', c.id, c.name, pg_temp.fold(c.name), c.trade_name, pg_temp.fold(c.trade_name),
       c.cnpj,
       pg_temp.one_of(array['software', 'varejo', 'industria', 'saude', 'educacao', 'agro'], 'sg', n),
       pg_temp.one_of(array['micro', 'pequena', 'media', 'grande'], 'sz', n),
       'https://' || pg_temp.fold(c.trade_name) || '.example',
       split_part(city, '/', 1), pg_temp.fold(split_part(city, '/', 1)), split_part(city, '/', 2),
       'BR',
       pg_temp.one_of(array['site', 'indicacao', 'linkedin', 'evento', 'whatsapp'], 'cf', n),
       pg_temp.draw('em', n, 2000), pg_temp.draw('rv', n, 900000000), 'BRL',
       1960 + pg_temp.draw('fy', n, 65),
       (select u.id from new_user u where u.n = 1 + c.n % :users),
       '{}', c.made, c.made + pg_temp.draw('cu', n, 600000) * interval '1 second',
       pg_temp.search_text(pg_temp.fold(c.name), pg_temp.fold(c.trade_name), c.cnpj)
from new_company c;

create temporary table new_contact as
select p.n, p.made, p.full_name, c.id as company_id, c.trade_name,
       pg_temp.identify(p.made, :'tenant' || 'contact', p.n) as id
from (select n, pg_temp.moment('contact', n, :contacts) as made,
             pg_temp.name_of(names, 'pg', n) || ' ' || pg_temp.name_of(surnames, 'ps', n) || ' '
                 || pg_temp.name_of(surnames, 'pt', n) as full_name,
             case when pg_temp.draw('pn', n, 20) > 0
                  then 1 + pg_temp.draw('pc', n, :companies) end as company_n
      from generate_series(1, :contacts) n, given) p
left join new_company c on c.n = p.company_n;
create unique index on new_contact (n);

create temporary table new_contact_mail as
select n, replace(pg_temp.fold(full_name), ' ', '.') || n || '@'
       || coalesce(pg_temp.fold(trade_name), 'pessoal') || '.example' as email
from new_contact;
create unique index on new_contact_mail (n);

insert into contacts (tenant_id, id, company_id, full_name, full_name_folded, email, phone, whatsapp,
                      job_title, job_title_folded, department, is_decision_maker, source, owner_id,
                      metadata, created_at, updated_at, search_text)
select :'tenant_id', id, company_id, full_name, pg_temp.fold(full_name), email, phone, phone,
       title, pg_temp.fold(title),
       pg_temp.one_of(array['Compras', 'Vendas', 'Diretoria', 'TI', 'Financeiro'], 'dp', n),
       pg_temp.draw('dm', n, 4) = 0,
       pg_temp.one_of(array['site', 'indicacao', 'linkedin', 'evento', 'whatsapp'], 'pf', n),
       (select u.id from new_user u where u.n = 1 + p.n % :users),
       '{}', made, made + pg_temp.draw('pu', n, 600000) * interval '1 second',
       pg_temp.search_text(pg_temp.fold(full_name), email, pg_temp.fold(title))
from (select *, '+55' || (11 + pg_temp.draw('pd', n, 80)) || '9'
                    || lpad(pg_temp.draw('ph', n, 100000000)::text, 8, '0') as phone,
             pg_temp.one_of(array['Diretora', 'Gerente de compras', 'Sócio', 'Analista de operações',
                                  'Coordenadora', 'Presidente'], 'jt', n) as title
      from new_contact join new_contact_mail using (n)) p;

create temporary table new_lead as
select l.n, l.made, l.status,
       pg_temp.identify(l.made, :'tenant' || 'lead', l.n) as id,
       p.id as contact_id, p.company_id, u.id as assigned_to,
       coalesce(p.full_name, pg_temp.name_of(g.names, 'lg', l.n) || ' '
                             || pg_temp.name_of(g.surnames, 'ls', l.n)) as name
from (select n, pg_temp.moment('lead', n, :leads) as made,
             pg_temp.one_of(array['new', 'new', 'new', 'contacted', 'contacted', 'qualified',
                                  'unqualified', 'converted', 'lost'], 'st', n) as status,
             case when pg_temp.draw('ln', n, 10) > 0
                  then 1 + pg_temp.draw('lp', n, :contacts) end as contact_n,
             1 + pg_temp.draw('la', n, :users) as user_n
      from generate_series(1, :leads) n) l
cross join given g
join new_user u on u.n = l.user_n
left join new_contact p on p.n = l.contact_n;
create unique index on new_lead (n);

insert into leads (tenant_id, id, name, name_folded, contact_id, company_id, status, temperature,
                   score, source, source_detail, channel, assigned_to, first_contact_at,
                   last_contact_at, converted_at, notes, metadata, external_system, external_id,
                   created_at, updated_at, search_text)
select :'tenant_id', id, name, pg_temp.fold(name), contact_id, company_id, status,
       pg_temp.one_of(array['hot', 'warm', 'cold', 'cold'], 'tp', n),
       pg_temp.draw('sc', n, 101),
       pg_temp.one_of(array['site', 'indicacao', 'linkedin', 'evento', 'whatsapp', 'anuncio'],
                      'sr', n),
       'campanha ' || pg_temp.draw('cp', n, 40),
       pg_temp.one_of(array['organico', 'pago', 'direto', null], 'ch', n),
       assigned_to,
       case when status <> 'new' then made + pg_temp.draw('fc', n, 200000) * interval '1 second' end,
       case when status <> 'new'
            then made + (200000 + pg_temp.draw('lc', n, 2000000)) * interval '1 second' end,
       case when status = 'converted' then made + interval '30 days' end,
       case when pg_temp.draw('nt', n, 3) = 0 then 'Pediu proposta para o próximo trimestre.' end,
       jsonb_build_object('utm_campaign', 'c' || pg_temp.draw('uc', n, 40),
                          'utm_medium', pg_temp.one_of(array['cpc', 'email', 'social'], 'um', n)),
       case when n % 4 = 0 then 'rd_station' end, case when n % 4 = 0 then n::text end,
       made, made + pg_temp.draw('lu', n, 3000000) * interval '1 second',
       pg_temp.search_text(pg_temp.fold(name), 'campanha ' || pg_temp.draw('cp', n, 40))
from new_lead;

create temporary table stage as
select row_number() over (order by sort_order, id) as n, id, is_won, is_lost
from pipeline_stages where tenant_id = :'tenant_id' and deleted_at is null;

insert into deals (tenant_id, id, title, title_folded, lead_id, company_id, contact_id, stage_id,
                   status, value, currency, expected_close_date, actual_close_date, owned_by,
                   metadata, stage_changed_at, created_at, updated_at, search_text)
select :'tenant_id', pg_temp.identify(d.made, :'tenant' || 'deal', d.n), d.title,
       pg_temp.fold(d.title), l.id, l.company_id, l.contact_id, s.id,
       case when s.is_won then 'won' when s.is_lost then 'lost' else 'open' end,
       d.value, 'BRL', (d.made + interval '45 days')::date,
       case when s.is_won or s.is_lost then (d.made + interval '40 days')::date end,
       l.assigned_to, '{}', d.made, d.made,
       d.made + pg_temp.draw('du', d.n, 600000) * interval '1 second',
       pg_temp.search_text(pg_temp.fold(d.title))
from (select n, pg_temp.moment('deal', n, :deals) as made,
             pg_temp.one_of(array['Licença anual', 'Projeto de implantação', 'Renovação',
                                  'Consultoria', 'Treinamento', 'Expansão'], 'dt', n)
                 || ' ' || n as title,
             10000 + pg_temp.draw('dv', n, 50000000) as value,
             1 + pg_temp.draw('dl', n, :leads) as lead_n,
             1 + pg_temp.draw('ds', n, (select count(*) from stage)) as stage_n
      from generate_series(1, :deals) n) d
join new_lead l on l.n = d.lead_n
join stage s on s.n = d.stage_n;

commit;

select indexdef from kept_index \gexec
