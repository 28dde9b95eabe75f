// Streamdown as its README sets it up: the code plug-in, `animated`, Tailwind's classes (streamdown.css).
// Without the plug-ins for mathematics, diagrams and CJK, which the text has no use for.
import { code } from '@streamdown/code';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Streamdown } from 'streamdown';
import { serve } from './page.mjs';

function Answer({ deltas, onEnd }) {
  const [text, setText] = useState('');
  const [isStreaming, setStreaming] = useState(true);
  useEffect(() => {
    (async () => {
      for await (const delta of deltas) setText((before) => before + delta);
      setStreaming(false);
      onEnd();
    })();
  }, [deltas, onEnd]);
  return (
    <Streamdown animated plugins={{ code }} isAnimating={isStreaming}>
      {text}
    </Streamdown>
  );
}

serve((host, deltas) => new Promise((onEnd) => createRoot(host).render(<Answer deltas={deltas} onEnd={onEnd} />)), {
  ignored: 'button:not([data-streamdown="link"]), [data-streamdown="code-block-header"], [data-streamdown="code-block-actions"], svg',
});
