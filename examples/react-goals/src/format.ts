const LOCALE = "pt-BR";

export function money(amount: string | null | undefined, currency: string): string {
  if (amount == null) return "–";
  return new Intl.NumberFormat(LOCALE, { style: "currency", currency }).format(Number(amount));
}

export function percent(value: number | null | undefined): string {
  if (value == null) return "–";
  return `${new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 }).format(value)} %`;
}

export function day(instant: string | null | undefined): string {
  return instant ? new Date(instant).toLocaleDateString(LOCALE) : "–";
}

export function monthName(month: number): string {
  return new Date(2000, month - 1, 1).toLocaleDateString("en", { month: "long" });
}

export function ago(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return "just now";
  return minutes === 1 ? "1 minute ago" : `${minutes} minutes ago`;
}
