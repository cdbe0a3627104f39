import { keepPreviousData, useInfiniteQuery, useMutation, useQueryClient } from "@tanstack/react-query";
import { useDeferredValue } from "react";
import { type Answer, ask } from "../api";
import type { CustomerGoalsQuery } from "../generated/graphql";
import { CUSTOMER_GOALS, type Choice, variablesOf } from "./query";

/** The chosen rows, page after page, and how to have the server read them anew. */
export function useGoals(choice: Choice) {
  const client = useQueryClient();
  const variables = variablesOf(useDeferredValue(choice));
  const queryKey = ["goals", variables];
  const pages = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam }) => ask(CUSTOMER_GOALS, { ...variables, after: pageParam }),
    initialPageParam: null as string | null,
    getNextPageParam: ({ data }) => {
      const { hasNextPage, endCursor } = data.customerGoals.pageInfo;
      return hasNextPage ? endCursor : null;
    },
    placeholderData: keepPreviousData,
  });
  const refresh = useMutation({
    mutationFn: () => ask(CUSTOMER_GOALS, { ...variables, refresh: true }),
    onSuccess: (answer: Answer<CustomerGoalsQuery>) =>
      client.setQueryData(queryKey, { pages: [answer], pageParams: [null] }),
  });
  return { pages, refresh };
}
