// assistant-ui with its own runtime, thread and Markdown text (react-markdown), as its READMEs set them up.
import { AssistantRuntimeProvider, MessagePrimitive, ThreadPrimitive, useLocalRuntime } from '@assistant-ui/react';
import { MarkdownTextPrimitive } from '@assistant-ui/react-markdown';
import { useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import remarkGfm from 'remark-gfm';
import { serve } from './page.mjs';

const MarkdownText = () => <MarkdownTextPrimitive remarkPlugins={[remarkGfm]} className="aui-md" />;
const UserMessage = () => (
  <MessagePrimitive.Root>
    <MessagePrimitive.Parts />
  </MessagePrimitive.Root>
);
const AssistantMessage = () => (
  <MessagePrimitive.Root className="answer">
    <MessagePrimitive.Parts components={{ Text: MarkdownText }} />
  </MessagePrimitive.Root>
);

function Chat({ adapter }) {
  const runtime = useLocalRuntime(adapter);
  useEffect(() => {
    runtime.thread.append({ role: 'user', content: [{ type: 'text', text: 'go' }] });
  }, [runtime]);
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <ThreadPrimitive.Root>
        <ThreadPrimitive.Viewport>
          <ThreadPrimitive.Messages components={{ UserMessage, AssistantMessage }} />
        </ThreadPrimitive.Viewport>
      </ThreadPrimitive.Root>
    </AssistantRuntimeProvider>
  );
}

serve((host, deltas) => new Promise((onEnd) => {
  const adapter = {
    async *run() {
      let text = '';
      for await (const delta of deltas) {
        text += delta;
        yield { content: [{ type: 'text', text }] };
      }
      onEnd();
    },
  };
  createRoot(host).render(<Chat adapter={adapter} />);
}), { root: (host) => host.querySelector('.answer .aui-md') });
