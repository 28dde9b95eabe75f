/** Banners that the server sent along: limits, maintenance, warnings. */
import { CircleAlert, Info, TriangleAlert } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import { useUi } from './context';
import { Markdown } from './markdown';

const ICON = { info: Info, warning: TriangleAlert, danger: CircleAlert } as const;

export function Notices(): JSX.Element {
  const { chat } = useUi();
  return (
    <>
      {chat.transcript.notices.value.map((notice, index) => (
        <div key={index} class={`notice ${notice.level in ICON ? notice.level : 'info'}`} role="status">
          <Icon of={(ICON as Partial<typeof ICON>)[notice.level] ?? Info} />
          <div>
            {(notice.title ?? '') !== '' && <strong>{notice.title}</strong>}
            <Markdown text={notice.message} />
          </div>
        </div>
      ))}
    </>
  );
}
