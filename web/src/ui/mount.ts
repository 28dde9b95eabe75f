/** The element inside the shadow root that everything is rendered into. */

export function mountPoint(): HTMLElement {
  const root = document.createElement('div');
  root.className = 'root';
  return root;
}
