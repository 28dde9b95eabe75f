/** Under the composer: that this is an AI (Art. 50(1) of the EU's AI Act: at the latest when it is first written to), and the page's own line. */
import type { JSX } from 'preact';
import { useOptions, useUi } from './context';
import { Markdown } from './markdown';

export function Disclaimer(): JSX.Element {
  const { id, t } = useUi();
  const { aiNotice, disclaimer } = useOptions();
  return (
    <>
      {aiNotice !== null && (
        <p id={`${id}-ai`} class="ai-notice" part="ai-notice">
          {aiNotice.text ?? t('ai.notice')}
        </p>
      )}
      {disclaimer !== null && (
        <div class={disclaimer.highContrast ? 'disclaimer high' : 'disclaimer'} part="disclaimer">
          <Markdown text={disclaimer.text} />
        </div>
      )}
    </>
  );
}
