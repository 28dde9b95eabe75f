/** One step the assistant took: a thought, a search, files, anything the server names. */
import { Brain, CircleCheck, FileText, Globe, Image, LoaderCircle, Search } from 'lucide';
import type { JSX } from 'preact';
import type { Task } from '../../core/protocol';
import { Icon, type IconProps } from '../../icons/icon';
import { useUi } from '../context';
import { Markdown } from '../markdown';
import { SourceList } from '../sources';
import type { ItemProps } from './item-view';

export function TaskItem({ entry }: ItemProps): JSX.Element | null {
  const { item } = entry.value;
  if (item.type !== 'task') return null;
  return (
    <div class="tasks alone">
      <TaskView task={item.task} />
    </div>
  );
}

export function TaskView({ task }: { readonly task: Task }): JSX.Element {
  const { t } = useUi();
  const status = task.status_indicator ?? 'none';
  const content = task.type === 'custom' || task.type === 'thought' ? (task.content ?? '') : '';
  const title = titleOf(task, t);
  return (
    <div class={`task ${status}`}>
      <span class="task-icon">
        {status === 'loading' ? <Icon of={LoaderCircle} size={15} /> : <Icon of={status === 'complete' && task.type === 'custom' && (task.icon ?? '') === '' ? CircleCheck : iconOf(task)} size={15} />}
      </span>
      <div class="task-body">
        {title !== '' && <div class="task-title" dir="auto">{title}</div>}
        {status !== 'none' && <span class="visually-hidden">{t(status === 'loading' ? 'task.loading' : 'task.complete')}</span>}
        {content !== '' && <Markdown text={content} />}
        {task.type === 'web_search' && (task.queries ?? []).length > 0 && (
          <ul class="queries">
            {(task.queries ?? []).map((query, index) => (
              <li key={index}>
                <Icon of={Search} size={13} />
                {query}
              </li>
            ))}
          </ul>
        )}
        {(task.type === 'web_search' || task.type === 'file') && (task.sources ?? []).length > 0 && <SourceList sources={task.sources ?? []} />}
      </div>
    </div>
  );
}

function titleOf(task: Task, t: ReturnType<typeof useUi>['t']): string {
  if ((task.title ?? '') !== '') return task.title ?? '';
  switch (task.type) {
    case 'web_search':
      return task.title_query ?? t('task.search');
    case 'file':
      return t('task.file');
    case 'image':
      return t('task.image');
    default:
      return '';
  }
}

function iconOf(task: Task): IconProps['of'] {
  switch (task.type) {
    case 'web_search':
      return Globe;
    case 'file':
      return FileText;
    case 'image':
      return Image;
    case 'thought':
      return Brain;
    default:
      return task.icon ?? 'empty-circle';
  }
}
