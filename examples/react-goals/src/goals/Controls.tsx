import type { CustomerClass } from "../generated/graphql";
import { monthName } from "../format";
import type { Choice, Summary } from "./query";

const CLASSES: CustomerClass[] = ["A", "B", "C"];
const MONTHS = Array.from({ length: 12 }, (_, index) => index + 1);

interface Props {
  choice: Choice;
  summary: Summary | undefined;
  onChange: (change: Partial<Choice>) => void;
}

export function Controls({ choice, summary, onChange }: Props) {
  const thisYear = new Date().getFullYear();
  const year = choice.year ?? summary?.year ?? thisYear;
  const month = choice.month ?? summary?.month ?? new Date().getMonth() + 1;
  return (
    <form className="controls" role="search" onSubmit={(event) => event.preventDefault()}>
      <label>
        Year
        <input
          type="number"
          name="year"
          min={1970}
          max={9998}
          // What is half typed is no year yet.
          defaultValue={year}
          onChange={(event) => event.target.validity.valid && onChange({ year: event.target.valueAsNumber })}
        />
      </label>
      <label>
        Month
        <select value={month} onChange={(event) => onChange({ month: Number(event.target.value) })}>
          {MONTHS.map((each) => (
            <option key={each} value={each}>
              {monthName(each)}
            </option>
          ))}
        </select>
      </label>
      <label>
        Class
        <select
          value={choice.classification ?? ""}
          onChange={(event) =>
            onChange({ classification: CLASSES.find((each) => each === event.target.value) ?? null })
          }
        >
          <option value="">All</option>
          {CLASSES.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </label>
      {choice.currency !== null && (
        <label>
          Currency
          <input
            name="currency"
            size={3}
            maxLength={3}
            value={choice.currency}
            onChange={(event) => onChange({ currency: event.target.value.toUpperCase() })}
          />
        </label>
      )}
      <label className="wide">
        Customer or city
        <input
          type="search"
          value={choice.search}
          onChange={(event) => onChange({ search: event.target.value })}
        />
      </label>
    </form>
  );
}
