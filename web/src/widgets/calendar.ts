/** Days without a time of day: `YYYY-MM-DD`, counted in UTC so that no clock change moves one. */

export type Day = string;

const DAY_MS = 86_400_000;

/** The day of an ISO date or datetime; a datetime is read as it is written, in its own zone. */
export function dayOf(value: string): Day | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:$|[T ])/.exec(value);
  if (match === null) return null;
  const day = match.slice(1, 4).join('-');
  return iso(dateOf(day)) === day ? day : null;
}

export function dateOf(day: Day): Date {
  return new Date(`${day}T00:00:00Z`);
}

export function iso(date: Date): Day {
  return Number.isNaN(date.getTime()) ? '' : date.toISOString().slice(0, 10);
}

/** Today where the reader is. */
export function today(now: Date): Day {
  return iso(new Date(Date.UTC(now.getFullYear(), now.getMonth(), now.getDate())));
}

export function addDays(day: Day, count: number): Day {
  return iso(new Date(dateOf(day).getTime() + count * DAY_MS));
}

/** The same day of another month, or that month's last. */
export function addMonths(day: Day, count: number): Day {
  const date = dateOf(day);
  const target = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count, 1));
  const last = new Date(Date.UTC(target.getUTCFullYear(), target.getUTCMonth() + 1, 0)).getUTCDate();
  target.setUTCDate(Math.min(date.getUTCDate(), last));
  return iso(target);
}

/** The weeks that a month touches, from its first day of the week (1 is Monday, 7 Sunday). */
export function weeksOf(day: Day, firstDay: number): Day[][] {
  const month = day.slice(0, 7);
  const first = `${month}-01`;
  const before = (dateOf(first).getUTCDay() - (firstDay % 7) + 7) % 7;
  const weeks: Day[][] = [];
  for (let start = addDays(first, -before); weeks.length === 0 || start.startsWith(month); start = addDays(start, 7)) {
    weeks.push(Array.from({ length: 7 }, (_, index) => addDays(start, index)));
  }
  return weeks;
}

/** The first day of a week in a language; Monday where the browser does not know. */
export function firstDayOf(locale: string): number {
  try {
    const language = new Intl.Locale(locale) as Intl.Locale & { getWeekInfo?: () => { firstDay: number }; weekInfo?: { firstDay: number } };
    return (language.getWeekInfo?.() ?? language.weekInfo)?.firstDay ?? 1;
  } catch {
    return 1;
  }
}
