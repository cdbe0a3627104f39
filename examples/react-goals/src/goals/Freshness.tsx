import { useEffect, useState } from "react";
import type { Answer, Tier } from "../api";
import { ago } from "../format";

const TIERS: [Tier, string][] = [
  ["static", "Goals and customers"],
  ["annual", "The year"],
  ["live", "The month"],
];
const TICK_MS = 10_000;

/** How old each part of the answer is, and goes on to be while it is looked at. */
export function Freshness({ answer }: { answer: Answer<unknown> }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const held = Math.max(0, now - answer.receivedAt) / 1000;
  return (
    <ul className="freshness" aria-label="How fresh the numbers are">
      {TIERS.map(([tier, label]) => {
        const state = answer.tiers[tier];
        return (
          <li key={tier} data-tier={tier} className={tier}>
            <b>{label}</b> updated {ago((state?.ageSeconds ?? 0) + held)}
          </li>
        );
      })}
    </ul>
  );
}
