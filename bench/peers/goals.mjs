// The peer of the page of goals: a small Node service with three tiers of freshness, as such services
// are written: express, node-cache and pg. What never changes between two sales is kept (customers and
// goals 30 minutes, the year 10 minutes), the month is read with every request, and the three are
// put together for each answer. It is told everything by its environment: DATABASE_URL, PORT, WORKERS,
// and CLONES=1 for node-cache as it is without options, which copies whatever it gives out.
import cluster from "node:cluster";
import { createHash } from "node:crypto";
import express from "express";
import NodeCache from "node-cache";
import pg from "pg";

const { CLONES, DATABASE_URL, PORT, WORKERS } = process.env;

// 64-bit sums of hundredths stay far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number);

const cache = new NodeCache({ stdTTL: 300, checkperiod: 60, useClones: CLONES === "1" });
const STATIC_SECONDS = 1800;
const ANNUAL_SECONDS = 600;
const KEY_SECONDS = 60;
const ZONE = "America/Sao_Paulo";
const today = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE });

const LIVING = "deleted_at is null and cancelled_at is null";
const KEY = "select tenant_id from service_keys where key_hash = $1";
const STATIC = `select g.customer_id as id, c.name, c.address_city as city, c.address_state as state,
  g.classification, g.amount as goal, coalesce(s.amount, g.last_year_sales) as last_year
  from customer_goals g
  join companies c on c.tenant_id = g.tenant_id and c.id = g.customer_id
  left join (select customer_id, sum(amount) as amount from sales where tenant_id = $1
    and seller_id = $2 and sold_on >= $4 and sold_on < $5 and ${LIVING} group by customer_id) s
    on s.customer_id = g.customer_id
  where g.tenant_id = $1 and g.seller_id = $2 and g.year = $3 and g.deleted_at is null`;
const ANNUAL = `select customer_id as id, sum(amount) filter (where sold_on >= $4) as sold,
  max(sold_at) filter (where amount > 0) as last_purchase from sales
  where tenant_id = $1 and seller_id = $2 and sold_on >= $3 and sold_on < $5 and ${LIVING}
  group by customer_id`;
const LIVE = `select customer_id as id, sum(amount) as sold from sales
  where tenant_id = $1 and seller_id = $2 and sold_on >= $3 and sold_on < $4 and ${LIVING}
  group by customer_id`;

const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
const rows = async (name, text, values) => (await pool.query({ name, text, values })).rows;

async function kept(key, seconds, refresh, read) {
  const there = refresh ? undefined : cache.get(key);
  if (there !== undefined) return [there, "HIT"];
  const value = await read();
  cache.set(key, value, seconds);
  return [value, "MISS"];
}

async function authenticate(request, response, next) {
  const key = (request.get("authorization") ?? "").replace(/^Bearer /, "");
  const hash = createHash("sha256").update(key).digest("hex");
  const [tenant] = await kept(`key:${hash}`, KEY_SECONDS, false, async () => {
    const [row] = await rows("key", KEY, [hash]);
    return row?.tenant_id ?? null;
  });
  if (tenant === null) return response.status(401).json({ error: "unknown key" });
  response.locals.tenant = tenant;
  next();
}

const day = (year, month) => `${year}-${String(month).padStart(2, "0")}-01`;
const next = (year, month) => (month === 12 ? day(year + 1, 1) : day(year, month + 1));
const money = (hundredths) => (hundredths === null ? null : hundredths / 100);
const percent = (part, whole) => (whole > 0 ? Math.round((part / whole) * 10000) / 100 : null);

function getStatic(tenant, seller, year, refresh) {
  return kept(`customer_goals:static:${tenant}:${seller}:${year}`, STATIC_SECONDS, refresh, () =>
    rows("static", STATIC, [tenant, seller, year, day(year - 1, 1), day(year, 1)]),
  );
}

function getAnnual(tenant, seller, year, refresh) {
  return kept(`customer_goals:annual:${tenant}:${seller}:${year}`, ANNUAL_SECONDS, refresh, async () => {
    const found = await rows("annual", ANNUAL, [
      tenant, seller, day(year - 1, 1), day(year, 1), day(year + 1, 1),
    ]);
    return new Map(found.map((row) => [row.id, row]));
  });
}

const orders = {
  gap: (a, b) => a.gap - b.gap,
  "-gap": (a, b) => b.gap - a.gap,
  customer_name: (a, b) => (a.name < b.name ? -1 : 1),
};

async function page(request, response) {
  const { tenant } = response.locals;
  const seller = request.params.sellerId;
  const present = today.format();
  const year = Number(request.query.year ?? present.slice(0, 4));
  const month = Number(request.query.month ?? present.slice(5, 7));
  const limit = Number(request.query.limit ?? 50);
  const offset = Number(request.query.offset ?? 0);
  const order = orders[request.query.order_by ?? "-gap"];
  if (order === undefined) return response.status(400).json({ error: "unknown order_by" });
  const refresh = request.query.refresh === "1";
  const [[base, ofStatic], [annual, ofAnnual], live] = await Promise.all([
    getStatic(tenant, seller, year, refresh),
    getAnnual(tenant, seller, year, refresh),
    rows("live", LIVE, [tenant, seller, day(year, month), next(year, month)]),
  ]);
  const months = new Map(live.map((row) => [row.id, row.sold]));
  const sums = { goal: 0, year: 0, month: 0, active: 0 };
  const lines = base.map((row) => {
    const sold = annual.get(row.id)?.sold ?? 0;
    const soldMonth = months.get(row.id) ?? 0;
    sums.goal += row.goal;
    sums.year += sold;
    sums.month += soldMonth;
    if (soldMonth > 0) sums.active += 1;
    return { row, name: row.name, sold, soldMonth, gap: row.goal - sold };
  });
  lines.sort(order);
  response.set({ "X-Cache-Static": ofStatic, "X-Cache-Annual": ofAnnual });
  response.json({
    year,
    month,
    total: lines.length,
    limit,
    offset,
    summary: {
      customers: lines.length,
      active_customers_month: sums.active,
      penetration_month_pct: percent(sums.active, lines.length),
      total_sold_month: money(sums.month),
      [`goal_${year}`]: money(sums.goal),
      [`sold_${year}`]: money(sums.year),
      gap: money(sums.goal - sums.year),
      achievement_pct: percent(sums.year, sums.goal),
    },
    customers: lines.slice(offset, offset + limit).map(({ row, sold, soldMonth, gap }) => ({
      customer_id: row.id,
      customer_name: row.name,
      city: row.city,
      state: row.state,
      classification: row.classification,
      [`goal_${year}`]: money(row.goal),
      [`sales_${year - 1}`]: money(row.last_year),
      [`sold_${year}`]: money(sold),
      gap: money(gap),
      achievement_pct: percent(sold, row.goal),
      last_purchase_date: annual.get(row.id)?.last_purchase ?? null,
      sold_month: money(soldMonth),
      is_active_month: soldMonth > 0,
    })),
  });
}

function serve() {
  const app = express();
  // Nothing that costs and is not asked for.
  app.disable("etag");
  app.disable("x-powered-by");
  app.get("/api/v2/analytics/goals/seller/:sellerId", authenticate, page);
  const server = app.listen(Number(PORT), "127.0.0.1");
  server.keepAliveTimeout = 600_000;
}

process.on("SIGTERM", () => process.exit(0));
const workers = Number(WORKERS ?? "1");
if (workers > 1 && cluster.isPrimary) {
  for (let worker = 0; worker < workers; worker += 1) cluster.fork();
  cluster.on("exit", (_, code) => process.exit(code || 1));
} else {
  serve();
}
