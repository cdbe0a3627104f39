// The peer: PostGraphile v5 as its documentation sets it up for production. One process, or a
// cluster of WORKERS. It is told everything by its environment:
// DATABASE_URL, PORT, WORKERS.
import cluster from "node:cluster";
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const { DATABASE_URL, PORT, WORKERS } = process.env;

const preset = {
  extends: [PostGraphileAmberPreset],
  // It would hide relations and orders whose index begins with the tenant or covers living rows
  // only: all of ours do.
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [makePgService({ connectionString: DATABASE_URL, schemas: ["public"] })],
  // Nothing that is not needed to answer a query: no explain, no GraphiQL, no watching.
  grafast: { explain: false },
  grafserv: { graphiql: false, graphqlOverGET: false, watch: false, websockets: false },
  // Our tables have no need of mutations here; the schema is smaller and starts sooner.
  schema: { defaultBehavior: "-insert -update -delete" },
};

async function serve() {
  const server = createServer();
  server.on("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  await postgraphile(preset).createServ(grafserv).addTo(server);
  server.listen(Number(PORT), "127.0.0.1");
}

process.on("SIGTERM", () => process.exit(0));
const workers = Number(WORKERS ?? "1");
if (workers > 1 && cluster.isPrimary) {
  for (let worker = 0; worker < workers; worker += 1) cluster.fork();
  cluster.on("exit", (_, code) => process.exit(code || 1));
} else {
  await serve();
}
