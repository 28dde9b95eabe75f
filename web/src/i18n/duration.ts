/** Lengths of time as people read them: "12 seconds", "1 minute, 5 seconds". */

export function formatDuration(seconds: number, locale: string): string {
  const whole = Math.max(0, Math.round(Number.isFinite(seconds) ? seconds : 0));
  const parts: [number, 'minute' | 'second'][] = whole < 60 ? [[whole, 'second']] : [[Math.floor(whole / 60), 'minute'], ...(whole % 60 === 0 ? [] : [[whole % 60, 'second'] as [number, 'second']])];
  const said = (language: string): string =>
    new Intl.ListFormat(language, { type: 'unit', style: 'long' }).format(
      parts.map(([value, unit]) => new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'long' }).format(value)),
    );
  try {
    return said(locale);
  } catch {
    return said('en');
  }
}
