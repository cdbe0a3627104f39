import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { RequestError, ask } from "../api";
import { LOGOUT, type Me } from "../session";
import { Controls } from "./Controls";
import { Freshness } from "./Freshness";
import { GoalsTable } from "./GoalsTable";
import { Tiles } from "./Tiles";
import { type Choice, FIRST_CHOICE } from "./query";
import { useGoals } from "./useGoals";

export function GoalsPage({ me }: { me: Me }) {
  const client = useQueryClient();
  const [choice, setChoice] = useState(FIRST_CHOICE);
  const { pages, refresh } = useGoals(choice);
  const signOut = useMutation({
    mutationFn: () => ask(LOGOUT, {}),
    onSettled: () => client.resetQueries(),
  });
  const change = (part: Partial<Choice>) => setChoice((before) => ({ ...before, ...part }));
  const newest = pages.data?.pages[0];
  const summary = newest?.data.customerGoals.summary;
  const rows = pages.data?.pages.flatMap((page) => page.data.customerGoals.nodes) ?? [];
  const error = refresh.error ?? pages.error;
  // Amounts in several currencies are not added up: the tenant's first, and any that is asked for.
  const needsCurrency = pages.error instanceof RequestError && pages.error.field === "currency";
  if (needsCurrency && choice.currency === null) change({ currency: me.tenant.currency });
  return (
    <main>
      <header>
        <h1>
          Customer goals <small>{me.tenant.name}</small>
        </h1>
        <p>
          {me.user.fullName} <button onClick={() => signOut.mutate()}>Sign out</button>
        </p>
      </header>
      <Controls choice={choice} summary={summary} onChange={change} />
      <div className="state">
        {newest && <Freshness answer={newest} />}
        <button className="primary" disabled={refresh.isPending} onClick={() => refresh.mutate()}>
          {refresh.isPending ? "Refreshing…" : "Refresh"}
        </button>
      </div>
      {error && (
        <p className="error" role="alert">
          {inWords(error)}
        </p>
      )}
      {summary && <Tiles summary={summary} />}
      {pages.isPending && <p className="notice">Loading…</p>}
      {summary && rows.length === 0 && <p className="notice">No customer fits.</p>}
      {summary && rows.length > 0 && (
        <div aria-busy={pages.isPlaceholderData}>
          <GoalsTable
            rows={rows}
            currency={summary.currency}
            order={choice.order}
            onOrder={(order) => change({ order })}
          />
        </div>
      )}
      {pages.hasNextPage && (
        <button className="more" disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          {pages.isFetchingNextPage ? "Loading…" : "Load more"}
        </button>
      )}
    </main>
  );
}

function inWords(error: Error): string {
  const tooSoon = error instanceof RequestError && error.code === "RATE_LIMITED";
  return tooSoon ? "That was refreshed a moment ago. Try again in a few seconds." : error.message;
}
