/** A day from a calendar, by mouse, finger or keyboard. */
import { useSignal } from '@preact/signals';
import { Calendar as CalendarGlyph, ChevronLeft, ChevronRight, X } from 'lucide';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../icons/icon';
import { useLocale, useUi } from '../ui/context';
import { Popover } from '../ui/popover';
import { addDays, addMonths, dateOf, dayOf, firstDayOf, today, weeksOf, type Day } from './calendar';
import { useChange } from './controls';
import { useScope } from './scope';
import { triggerLook } from './select';
import type { ComponentProps } from './tree';
import { flag, text, word } from './values';

export function DatePicker({ node }: ComponentProps): JSX.Element {
  const { t } = useUi();
  const locale = useLocale();
  const { id, labelled } = useScope();
  const change = useChange(node);
  const name = text(node, 'name');
  const given = dayOf(text(node, 'defaultValue')) ?? '';
  const value = useSignal<Day>(given);
  const isOpen = useSignal(false);
  const trigger = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    value.value = given;
  }, [given]);
  const isOff = flag(node, 'disabled');
  const choose = (day: Day): void => {
    isOpen.value = false;
    trigger.current?.focus();
    if (day === value.value) return;
    value.value = day;
    queueMicrotask(() => change(day));
  };
  return (
    <span class={flag(node, 'block') ? 'w-select block' : 'w-select'}>
      <button
        ref={trigger}
        id={`${id}-f-${name}`}
        type="button"
        class={triggerLook(node)}
        aria-haspopup="dialog"
        aria-expanded={isOpen.value}
        aria-label={labelled.has(name) || value.value !== '' ? undefined : text(node, 'placeholder') || name}
        disabled={isOff}
        onClick={() => (isOpen.value = !isOpen.value)}
      >
        <Icon of={CalendarGlyph} size={15} />
        <span class={value.value === '' ? 'w-value empty' : 'w-value'} dir="auto">
          {value.value === '' ? text(node, 'placeholder') || t('widget.chooseDate') : formatDay(value.value, locale, { day: 'numeric', month: 'long', year: 'numeric' })}
        </span>
      </button>
      {flag(node, 'clearable') && value.value !== '' && !isOff && (
        <button type="button" class="icon-button small w-clear" aria-label={t('widget.clear')} onClick={() => choose('')}>
          <Icon of={X} size={14} />
        </button>
      )}
      <input type="hidden" name={name} value={value.value} disabled={isOff} />
      {isOpen.value && trigger.current !== null && (
        <Popover
          anchor={trigger.current}
          class="w-popover w-calendar"
          role="dialog"
          label={text(node, 'placeholder') || t('widget.chooseDate')}
          side={word(node, 'side', ['top', 'bottom', 'left', 'right']) ?? 'bottom'}
          align={word(node, 'align', ['start', 'center', 'end']) ?? 'start'}
          onClose={(why) => {
            isOpen.value = false;
            if (why === 'escape') trigger.current?.focus();
          }}
        >
          <Month value={value.value} min={dayOf(text(node, 'min'))} max={dayOf(text(node, 'max'))} locale={locale} choose={choose} />
        </Popover>
      )}
    </span>
  );
}

interface MonthProps {
  /** `''`: none is chosen. */
  readonly value: Day;
  readonly min: Day | null;
  readonly max: Day | null;
  readonly locale: string;
  readonly choose: (day: Day) => void;
}

function Month({ value, min, max, locale, choose }: MonthProps): JSX.Element {
  const { t } = useUi();
  const now = today(new Date());
  const within = (day: Day): Day => (min !== null && day < min ? min : max !== null && day > max ? max : day);
  const isOut = (day: Day): boolean => (min !== null && day < min) || (max !== null && day > max);
  /** The day that the keyboard is at; its month is the one that is shown. */
  const at = useSignal(within(value === '' ? now : value));
  const grid = useRef<HTMLTableElement>(null);
  const isMoved = useRef(true);
  useLayoutEffect(() => {
    if (isMoved.current) grid.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus({ preventScroll: true });
    isMoved.current = false;
  }, [at.value]);
  const go = (day: Day): void => {
    isMoved.current = true;
    at.value = within(day);
  };
  const firstDay = firstDayOf(locale);
  const weeks = weeksOf(at.value, firstDay);
  const month = at.value.slice(0, 7);
  const onKey = (event: KeyboardEvent): void => {
    const isRtl = getComputedStyle(event.currentTarget as Element).direction === 'rtl';
    const weekday = (dateOf(at.value).getUTCDay() - (firstDay % 7) + 7) % 7;
    const steps: Readonly<Record<string, () => Day>> = {
      ArrowLeft: () => addDays(at.value, isRtl ? 1 : -1),
      ArrowRight: () => addDays(at.value, isRtl ? -1 : 1),
      ArrowUp: () => addDays(at.value, -7),
      ArrowDown: () => addDays(at.value, 7),
      Home: () => addDays(at.value, -weekday),
      End: () => addDays(at.value, 6 - weekday),
      PageUp: () => addMonths(at.value, event.shiftKey ? -12 : -1),
      PageDown: () => addMonths(at.value, event.shiftKey ? 12 : 1),
    };
    const step = Object.hasOwn(steps, event.key) ? steps[event.key] : undefined;
    if (step === undefined) return;
    event.preventDefault();
    go(step());
  };
  const turn = (months: number): void => {
    at.value = within(addMonths(at.value, months));
  };
  const has = (months: number): boolean => within(addMonths(at.value, months)).slice(0, 7) !== month;
  return (
    <>
      <div class="w-month">
        {/* Not disabled at the end of the range: the focus would be lost. */}
        <button type="button" class="icon-button small w-previous" aria-label={t('widget.previousMonth')} aria-disabled={!has(-1)} onClick={() => turn(-1)}>
          <Icon of={ChevronLeft} size={16} />
        </button>
        <strong aria-live="polite">{formatDay(at.value, locale, { month: 'long', year: 'numeric' })}</strong>
        <button type="button" class="icon-button small w-next" aria-label={t('widget.nextMonth')} aria-disabled={!has(1)} onClick={() => turn(1)}>
          <Icon of={ChevronRight} size={16} />
        </button>
      </div>
      <table ref={grid} role="grid" onKeyDown={onKey}>
        <thead>
          <tr>
            {(weeks[0] ?? []).map((day) => (
              <th key={day} scope="col" abbr={formatDay(day, locale, { weekday: 'long' })}>
                {formatDay(day, locale, { weekday: 'narrow' })}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {weeks.map((week) => (
            <tr key={week[0]}>
              {week.map((day) => (
                <td key={day} role="gridcell" aria-selected={day === value}>
                  <button
                    type="button"
                    class={day.startsWith(month) ? 'w-day' : 'w-day other'}
                    tabIndex={day === at.value ? 0 : -1}
                    aria-current={day === now ? 'date' : undefined}
                    aria-label={formatDay(day, locale, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })}
                    disabled={isOut(day)}
                    onClick={() => choose(day)}
                  >
                    {formatDay(day, locale, { day: 'numeric' })}
                  </button>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function formatDay(day: Day, locale: string, parts: Intl.DateTimeFormatOptions): string {
  const options = { ...parts, timeZone: 'UTC' };
  try {
    return new Intl.DateTimeFormat(locale, options).format(dateOf(day));
  } catch {
    return new Intl.DateTimeFormat('en', options).format(dateOf(day));
  }
}
