/** The place of the questions: what draws them is loaded with the first; where it cannot be, one answers in words. */
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { Composer } from './composer';
import { useUi } from './context';

export function Questions(): JSX.Element {
  const { parts, t } = useUi();
  const { part, hasFailed, want } = parts.questions;
  useEffect(want, []);
  if (hasFailed.value) return <Composer />;
  // It has the focus of the text field before it, until there are questions to take it.
  if (part.value === null) return <div class="composer skeleton" tabIndex={-1} role="status" aria-label={t('widget.loading')} />;
  const { QuestionPanel } = part.value;
  return <QuestionPanel />;
}
