import { money, monthName, percent } from "../format";
import type { Summary } from "./query";

export function Tiles({ summary }: { summary: Summary }) {
  const amount = (value: string | null | undefined) => money(value, summary.currency);
  const tiles: [string, string, string][] = [
    ["goal", `Goal ${summary.year}`, amount(summary.goal)],
    ["soldYear", "Sold this year", amount(summary.soldYear)],
    ["soldMonth", `Sold in ${monthName(summary.month)}`, amount(summary.soldMonth)],
    ["gap", "Missing to the goal", amount(summary.gap)],
    ["achievement", "Achieved", percent(summary.achievementPct)],
    ["active", "Active customers", `${summary.activeCustomers} of ${summary.customers}`],
    ["projected", "Projected year", amount(summary.projectedYear)],
  ];
  return (
    <dl className="tiles">
      {tiles.map(([name, label, value]) => (
        <div key={name} data-tile={name}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
