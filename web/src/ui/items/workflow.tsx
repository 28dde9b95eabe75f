/** A group of steps, folded to one line that says what they came to. */
import { useSignal } from '@preact/signals';
import { Brain, ChevronRight } from 'lucide';
import type { JSX } from 'preact';
import type { Workflow } from '../../core/protocol';
import { Icon } from '../../icons/icon';
import { useUi } from '../context';
import type { ItemProps } from './item-view';
import { TaskView } from './task';

export function WorkflowItem({ entry }: ItemProps): JSX.Element | null {
  const { t, id } = useUi();
  const { item, live, key } = entry.value;
  /** What the person chose; until then the server decides. */
  const chosen = useSignal<boolean | null>(null);
  if (item.type !== 'workflow') return null;
  const { workflow } = item;
  const open = chosen.value ?? workflow.expanded ?? false;
  const icon = workflow.summary && 'title' in workflow.summary ? (workflow.summary.icon ?? null) : null;
  const panel = `${id}-${key}`;
  return (
    <div class="workflow">
      <button type="button" class="workflow-summary" aria-expanded={open} aria-controls={panel} onClick={() => (chosen.value = !open)}>
        {workflow.type === 'reasoning' ? <Icon of={Brain} size={16} /> : icon !== null && <Icon of={icon} size={16} />}
        <span class={live ? 'shimmer' : ''} dir="auto">{summaryOf(workflow, live ?? false, t)}</span>
        <span class="chevron">
          <Icon of={ChevronRight} size={15} />
        </span>
      </button>
      <div id={panel} class="tasks" hidden={!open}>
        {open && workflow.tasks.map((task, index) => <TaskView key={index} task={task} />)}
      </div>
    </div>
  );
}

function summaryOf(workflow: Workflow, live: boolean, t: ReturnType<typeof useUi>['t']): string {
  const { summary } = workflow;
  if (summary && 'title' in summary) return summary.title;
  if (summary && 'duration' in summary) return t('workflow.thought', { seconds: summary.duration });
  const current = workflow.tasks.at(-1)?.title ?? '';
  if (live && current !== '') return current;
  return t(workflow.type === 'reasoning' ? 'workflow.thinking' : 'workflow.working');
}
