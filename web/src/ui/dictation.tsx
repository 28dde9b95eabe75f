/** Speaking instead of writing: a recording that the server turns into text of the draft. */
import { useSignal } from '@preact/signals';
import { Check, LoaderCircle, Mic, X } from 'lucide';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { canRecord, startRecording, type Recorder } from '../core/dictation';
import { Icon } from '../icons/icon';
import { useUi } from './context';

export function Dictation({ disabled, refocus }: { readonly disabled: boolean; readonly refocus: () => void }): JSX.Element | null {
  const { chat, t } = useUi();
  const state = useSignal<'idle' | 'asking' | 'recording' | 'writing'>('idle');
  const seconds = useSignal(0);
  const recorder = useRef<Recorder | null>(null);
  const isGone = useRef(false);
  useEffect(
    () => () => {
      isGone.current = true;
      recorder.current?.discard();
    },
    [],
  );
  const isRecording = state.value === 'recording';
  useEffect(() => {
    if (!isRecording) return undefined;
    seconds.value = 0;
    const timer = setInterval(() => (seconds.value += 1), 1000);
    return () => clearInterval(timer);
  }, [isRecording]);
  if (!canRecord()) return null;

  const start = async (): Promise<void> => {
    if (state.peek() !== 'idle') return;
    state.value = 'asking';
    try {
      const started = await startRecording(() => void finish());
      if (isGone.current) {
        started.discard();
        return;
      }
      recorder.current = started;
      state.value = 'recording';
    } catch {
      state.value = 'idle';
      chat.toast.value = t('dictation.denied');
    }
  };
  const finish = async (): Promise<void> => {
    const current = recorder.current;
    if (current === null) return;
    recorder.current = null;
    state.value = 'writing';
    try {
      const recording = await current.finish();
      if (recording !== null) await chat.transcribe(recording);
    } finally {
      state.value = 'idle';
      refocus();
    }
  };
  const discard = (): void => {
    recorder.current?.discard();
    recorder.current = null;
    state.value = 'idle';
    refocus();
  };
  // One button through all of it, so that the focus stays on it.
  return (
    <span class="dictation">
      {isRecording && (
        <>
          <button type="button" class="icon-button attach" aria-label={t('dictation.cancel')} title={t('dictation.cancel')} onClick={discard}>
            <Icon of={X} />
          </button>
          <span class="dictation-time" role="timer" aria-label={t('dictation.recording')}>
            <i />
            {`${Math.floor(seconds.value / 60)}:${String(seconds.value % 60).padStart(2, '0')}`}
          </span>
        </>
      )}
      <button
        type="button"
        class={isRecording ? 'icon-button attach recording' : 'icon-button attach'}
        aria-label={t(isRecording ? 'dictation.stop' : state.value === 'writing' ? 'dictation.writing' : 'dictation.start')}
        aria-busy={state.value === 'writing' || state.value === 'asking'}
        disabled={disabled}
        onClick={() => void (isRecording ? finish() : start())}
      >
        {state.value === 'writing' ? (
          <span class="spinner">
            <Icon of={LoaderCircle} />
          </span>
        ) : (
          <Icon of={isRecording ? Check : Mic} />
        )}
      </button>
    </span>
  );
}
