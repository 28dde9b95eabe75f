/**
 * Keys are heard by those they are meant for. What an input method takes is for nobody else; and what somebody
 * writes into a field is no shortcut of the page, which sees the element as the target and not the field in it.
 */

/** The code of any key that an input method takes. Safari ends the composition before its last key, which only this tells. */
const INPUT_METHOD = 229;

/** Whether an input method has this key: it chooses or confirms characters. */
export function isOfInputMethod(event: KeyboardEvent): boolean {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- nothing else tells it in Safari
  return event.isComposing || event.keyCode === INPUT_METHOD;
}

/** Keeps the keys of fields inside; those that lead out of one stay everybody's: Escape, Tab, F6, and all with Ctrl or Cmd. */
export function keepKeys(root: ShadowRoot): void {
  root.addEventListener('keydown', (event) => isOfInputMethod(event as KeyboardEvent) && event.stopImmediatePropagation(), true);
  for (const type of ['keydown', 'keypress', 'keyup', 'paste']) {
    root.addEventListener(type, (event) => {
      const { key = '', ctrlKey = false, metaKey = false } = event as Partial<KeyboardEvent>;
      const isForAll = ctrlKey || metaKey || /^(?:Escape|Tab|F\d+)$/.test(key);
      if (!isForAll && event.target instanceof Element && event.target.matches('input, textarea, select')) event.stopPropagation();
    });
  }
}
