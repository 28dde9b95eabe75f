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
  if (part.value === null) return <div class="composer skeleton" role="status" aria-label={t('widget.loading')} />;
  const { QuestionPanel } = part.value;
  return <QuestionPanel />;
}
