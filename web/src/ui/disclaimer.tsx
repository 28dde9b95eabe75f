/** The Markdown line under the composer. */
import type { JSX } from 'preact';
import { useOptions } from './context';
import { Markdown } from './markdown';

export function Disclaimer(): JSX.Element | null {
  const { disclaimer } = useOptions();
  if (disclaimer === null) return null;
  return (
    <div class={disclaimer.highContrast ? 'disclaimer high' : 'disclaimer'}>
      <Markdown text={disclaimer.text} />
    </div>
  );
}
