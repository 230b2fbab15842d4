import { Component, type ReactNode } from 'react';
import { t } from '../i18n';
import { Button } from '../ui/Button';
import { Problem } from '../ui/Bits';

/** Keeps a fault of one page from taking the whole interface along. */
export class Boundary extends Component<{ children: ReactNode; place: string }, { problem: Error | null; place: string }> {
  override state: { problem: Error | null; place: string } = { problem: null, place: this.props.place };

  static getDerivedStateFromError(problem: Error) { return { problem }; }

  static getDerivedStateFromProps(props: { place: string }, state: { place: string }) {
    return props.place === state.place ? null : { problem: null, place: props.place };
  }

  override render(): ReactNode {
    if (!this.state.problem) return this.props.children;
    return (
      <div className="page">
        <Problem failure={this.state.problem} />
        <p className="centred"><Button kind="primary" onClick={() => location.reload()}>{t('action.reload')}</Button></p>
      </div>
    );
  }
}
