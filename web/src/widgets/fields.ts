/** The controls of a form: their validity, and their values in an action's payload. */
import type { DeclaredAction } from '../store/widget-actions';

type Control = HTMLInputElement | HTMLTextAreaElement;
type Values = Record<string, unknown>;

export class Fields {
  /** The element that holds the controls. */
  element: HTMLElement | null = null;
  /** What sends the form; `null` where nothing does. */
  submit: (() => void) | null = null;

  /** Whether every control has a value that may be sent; the first that has none says so. */
  isValid(): boolean {
    return this.#controls().every((control) => control.reportValidity());
  }

  /** The action with the values in its payload. What the payload has already stays. */
  addTo(action: DeclaredAction, report: (error: Error) => void): DeclaredAction {
    const values = this.#values();
    if (values.length === 0) return action;
    return { ...action, payload: merged(action.payload, values, report) };
  }

  #controls(): Control[] {
    const all = this.element?.querySelectorAll<Control>('input[name], textarea[name]') ?? [];
    return [...all].filter((control) => !control.disabled);
  }

  #values(): [string, unknown][] {
    const values = new Map<string, unknown>();
    for (const control of this.#controls()) {
      // Radios have a name of their own, so that two widgets do not share a group.
      const name = control.dataset['name'] ?? control.name;
      if (control instanceof HTMLInputElement && control.type === 'radio') {
        if (control.checked) values.set(name, control.value);
      } else values.set(name, control instanceof HTMLInputElement && control.type === 'checkbox' ? control.checked : control.value);
    }
    return [...values];
  }
}

/** Dots in a name nest: `todo.title` is `payload.todo.title`. */
export function merged(payload: unknown, values: readonly (readonly [string, unknown])[], report: (error: Error) => void): Values {
  // A payload that is no object has no place for values, and is the author's mistake.
  const result: Values = isObject(payload) ? structuredClone<Values>(payload) : {};
  if (payload !== undefined && !isObject(payload)) report(new Error('The payload of an action inside a form must be an object; it was left out.'));
  for (const [name, value] of values) {
    const path = name.split('.');
    const last = path.pop() ?? '';
    let place: Values | null = result;
    for (const step of path) {
      if (!Object.hasOwn(place, step)) define(place, step, {});
      const next: unknown = place[step];
      place = isObject(next) ? next : null;
      if (place === null) break;
    }
    if (place === null || Object.hasOwn(place, last)) report(new Error(`The payload of an action has “${name}” already, so the field of that name was not added.`));
    else define(place, last, value);
  }
  return result;
}

/** Also for names like `__proto__`, which an assignment would take for something else. */
function define(place: Values, key: string, value: unknown): void {
  Object.defineProperty(place, key, { value, writable: true, enumerable: true, configurable: true });
}

function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
