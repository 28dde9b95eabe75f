/** Copying, with the fallback for pages without a secure context. */

/** `html`: the same for programs that take more than text. */
export async function copyText(text: string, html?: Promise<string>): Promise<boolean> {
  const { clipboard } = navigator;
  try {
    // Whoever presses may copy now and not later: what is still being made is handed over as a promise.
    if (html !== undefined) {
      const as = (type: string) => (content: string) => new Blob([content], { type });
      await clipboard.write([new ClipboardItem({ 'text/plain': as('text/plain')(text), 'text/html': html.then(as('text/html')) })]);
      return true;
    }
  } catch {
    // Then as text alone.
  }
  try {
    await clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const before = focused();
  const field = document.createElement('textarea');
  field.value = text;
  field.style.position = 'fixed';
  field.style.opacity = '0';
  // Beside what was pressed: outside of a dialog that is open, nothing can be selected.
  (before?.parentNode ?? document.body).append(field);
  field.select();
  try {
    // Deprecated, and the only way on http pages.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    return document.execCommand('copy');
  } finally {
    field.remove();
    before?.focus({ preventScroll: true });
  }
}

/** What has the focus, wherever it is. */
function focused(): HTMLElement | null {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active instanceof HTMLElement && active !== document.body ? active : null;
}
