-- Goals and sales of one tenant, on top of load.sql: every company is the customer of its owner, with
-- a goal for this year, and bought last year and this one up to today.
--
-- Variables: tenant (slug), sales (how many). After begin.sql, in the same session.
-- The years are this one and the one before, because the page is about the present month; all else
-- is the same on every machine.

begin;

create temporary table account as
select row_number() over (order by owner_id, id) as n, owner_id as seller_id, id as customer_id
from companies where tenant_id = :'tenant_id';
create unique index on account (n);
analyze account;

create temporary table calendar as
select today, (date_trunc('year', today) - interval '1 year')::date as first_day,
       today - (date_trunc('year', today) - interval '1 year')::date + 1 as days,
       extract(year from today)::integer as year
from (select (now() at time zone 'America/Sao_Paulo')::date as today) t;

insert into customer_goals (tenant_id, id, year, seller_id, customer_id, amount, currency,
                            classification, created_at, updated_at)
select :'tenant_id', pg_temp.identify(first_day, :'tenant' || 'goal', n), year, seller_id,
       customer_id, 1000000 + pg_temp.draw('ga', n, 20000000), 'BRL',
       (array['A', 'B', 'B', 'C', 'C', 'C'])[1 + pg_temp.draw('gc', n, 6)], first_day, first_day
from account, calendar;

-- One in fifty is a return, one in a hundred was cancelled.
insert into sales (tenant_id, id, source, order_id, seller_id, customer_id, amount, currency, sold_at,
                   sold_on, cancelled_at, metadata, created_at, updated_at)
select :'tenant_id', pg_temp.identify(sold_at, :'tenant' || 'sale', s.n), 'erp', s.n::text,
       a.seller_id, a.customer_id, case when pg_temp.draw('sr', s.n, 50) = 0 then -amount / 4 else amount end,
       'BRL', sold_at, sold_on, case when pg_temp.draw('sx', s.n, 100) = 0 then sold_at end, '{}',
       sold_at, sold_at
from (select n, 1 + pg_temp.draw('sa', n, (select count(*) from account)) as account_n,
             1000 + pg_temp.draw('sv', n, 2000000) as amount,
             first_day + pg_temp.draw('sd', n, days)::integer as sold_on,
             -- Noon in Brazil: the same day by either calendar.
             (first_day + pg_temp.draw('sd', n, days)::integer + time '15:00') at time zone 'UTC'
                 as sold_at
      from calendar, generate_series(1, :sales) n) s
join account a on a.n = s.account_n;

-- As the server leaves them when goals and sales are written.
insert into epochs (tenant_id, id, value, updated_at)
select :'tenant_id', kind || seller_id, 1, now()
from (select distinct seller_id from account) a, unnest(array['goals/', 'goal_sales/']) kind
on conflict do nothing;

commit;

select indexdef from kept_index \gexec
