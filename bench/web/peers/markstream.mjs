// markstream-vue as its README sets it up for a chat: `mode="chat"`, `final` at the end, its style sheet.
// Without the optional package that colours code.
import { createApp, h, ref } from 'vue';
import MarkdownRender from 'markstream-vue';
import 'markstream-vue/index.css';
import { serve } from './page.mjs';

serve(async (host, deltas) => {
  const content = ref('');
  const final = ref(false);
  createApp({ render: () => h(MarkdownRender, { mode: 'chat', content: content.value, final: final.value }) }).mount(host);
  for await (const delta of deltas) content.value += delta;
  final.value = true;
}, { ignored: 'button, .code-block-header' });
