import { graphql } from "../generated";
import type { CustomerClass, CustomerGoalOrderField, CustomerGoalsQuery } from "../generated/graphql";

export const CUSTOMER_GOALS = graphql(`
  query CustomerGoals(
    $year: Int
    $month: Int
    $currency: String
    $filter: CustomerGoalFilter
    $search: String
    $orderBy: [CustomerGoalOrder!]
    $first: Int
    $after: String
    $refresh: Boolean
  ) {
    customerGoals(
      year: $year
      month: $month
      currency: $currency
      filter: $filter
      search: $search
      orderBy: $orderBy
      first: $first
      after: $after
      refresh: $refresh
    ) {
      summary {
        year
        month
        currency
        customers
        goal
        soldYear
        soldMonth
        gap
        achievementPct
        activeCustomers
        projectedYear
      }
      nodes {
        id
        customerName
        city
        state
        classification
        goal
        lastYearSales
        soldYear
        gap
        achievementPct
        lastPurchaseAt
        soldMonth
        isActiveMonth
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

type Connection = CustomerGoalsQuery["customerGoals"];
export type Row = Connection["nodes"][number];
export type Summary = Connection["summary"];

/** What the seller chose to see; null is the present year or month, and the only currency that there is. */
export interface Choice {
  year: number | null;
  month: number | null;
  currency: string | null;
  classification: CustomerClass | null;
  search: string;
  order: { field: CustomerGoalOrderField; direction: "ASC" | "DESC" };
}

export const FIRST_CHOICE: Choice = {
  year: null,
  month: null,
  currency: null,
  classification: null,
  search: "",
  order: { field: "GAP", direction: "DESC" },
};

const PAGE_ROWS = 50;

export function variablesOf(choice: Choice) {
  return {
    year: choice.year,
    month: choice.month,
    currency: choice.currency,
    filter: choice.classification ? { classification: { eq: choice.classification } } : null,
    search: choice.search.trim() || null,
    orderBy: [choice.order],
    first: PAGE_ROWS,
  };
}
