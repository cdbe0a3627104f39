import type { ReactNode } from "react";
import type { CustomerGoalOrderField } from "../generated/graphql";
import { day, money, percent } from "../format";
import type { Choice, Row } from "./query";

interface Column {
  field: CustomerGoalOrderField;
  label: string;
  isNumber?: boolean;
  show: (row: Row, currency: string) => ReactNode;
}

const COLUMNS: Column[] = [
  { field: "CUSTOMER_NAME", label: "Customer", show: (row) => row.customerName ?? "–" },
  { field: "CITY", label: "City", show: (row) => row.city ?? "–" },
  { field: "STATE", label: "State", show: (row) => row.state ?? "–" },
  { field: "CLASSIFICATION", label: "Class", show: (row) => row.classification ?? "–" },
  { field: "GOAL", label: "Goal", isNumber: true, show: (row, currency) => money(row.goal, currency) },
  {
    field: "LAST_YEAR_SALES",
    label: "Last year",
    isNumber: true,
    show: (row, currency) => money(row.lastYearSales, currency),
  },
  { field: "SOLD_YEAR", label: "Sold", isNumber: true, show: (row, currency) => money(row.soldYear, currency) },
  { field: "GAP", label: "Missing", isNumber: true, show: (row, currency) => money(row.gap, currency) },
  { field: "ACHIEVEMENT_PCT", label: "Achieved", isNumber: true, show: (row) => percent(row.achievementPct) },
  { field: "LAST_PURCHASE_AT", label: "Last purchase", show: (row) => day(row.lastPurchaseAt) },
  {
    field: "SOLD_MONTH",
    label: "Month",
    isNumber: true,
    show: (row, currency) => money(row.soldMonth, currency),
  },
  {
    field: "IS_ACTIVE_MONTH",
    label: "Active",
    show: (row) => (row.isActiveMonth ? <span className="active">active</span> : "–"),
  },
];

interface Props {
  rows: Row[];
  currency: string;
  order: Choice["order"];
  onOrder: (order: Choice["order"]) => void;
}

export function GoalsTable({ rows, currency, order, onOrder }: Props) {
  return (
    <div className="scroll" role="region" aria-label="Customers" tabIndex={0}>
      <table>
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <Heading key={column.field} column={column} order={order} onOrder={onOrder} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id}>
              {COLUMNS.map((column) => (
                <td key={column.field} data-field={column.field} className={column.isNumber ? "number" : ""}>
                  {column.show(row, currency)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Heading({ column, order, onOrder }: { column: Column } & Pick<Props, "order" | "onOrder">) {
  const isOrder = order.field === column.field;
  const isAscending = isOrder && order.direction === "ASC";
  return (
    <th
      scope="col"
      className={column.isNumber ? "number" : ""}
      aria-sort={isOrder ? (isAscending ? "ascending" : "descending") : undefined}
    >
      <button onClick={() => onOrder({ field: column.field, direction: isAscending ? "DESC" : "ASC" })}>
        {column.label}
        <span aria-hidden="true">{isOrder && (isAscending ? " ▲" : " ▼")}</span>
      </button>
    </th>
  );
}
