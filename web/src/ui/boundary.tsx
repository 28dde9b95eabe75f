/** Keeps a part that cannot be drawn from taking the rest with it. */
import { Component, type ComponentChildren } from 'preact';

interface BoundaryProps {
  /** What is drawn; something else is worth another try. */
  readonly of: unknown;
  readonly otherwise: ComponentChildren;
  readonly onFail: (error: unknown) => void;
  readonly children: ComponentChildren;
}

export class Boundary extends Component<BoundaryProps, { failed: unknown }> {
  override state = { failed: null as unknown };

  override componentDidCatch(error: unknown): void {
    this.setState({ failed: this.props.of });
    this.props.onFail(error);
  }

  override render({ of, otherwise, children }: BoundaryProps): ComponentChildren {
    return this.state.failed !== null && this.state.failed === of ? otherwise : children;
  }
}
