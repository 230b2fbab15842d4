import type { ReactElement, ReactNode } from 'react';

export interface Column {
  label: string;
  /** `number` aligns right, `nowrap` keeps a line, `actions` holds buttons: its label is for screen readers. */
  kind?: 'number' | 'nowrap' | 'actions' | 'mono' | 'number nowrap';
}

export interface Row { key: string | number; cells: readonly ReactNode[]; /** `data-…` of the row. */ data?: Record<`data-${string}`, string | number> }

/**
 * A table that becomes a list of cards where the page is narrow: each row a card, headed by its first cell, the others with their labels.
 * Roles are told because browsers forget those of a table whose parts are laid out otherwise.
 */
export function Table({ columns, rows, id, label }: { columns: readonly Column[]; rows: readonly Row[]; id?: string; label?: string }): ReactElement {
  return (
    <div className="table-wrap">
      <table className="stacking" role="table" id={id} aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">{columns.map((column) => <th key={column.label} role="columnheader" className={column.kind}>{column.kind === 'actions' ? <span className="visually-hidden">{column.label}</span> : column.label}</th>)}</tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={row.key} role="row" {...row.data}>
              {row.cells.map((cell, index) => <td key={columns[index]!.label} role="cell" className={columns[index]!.kind} data-label={columns[index]!.label}>{cell === null ? null : <div className="cell">{cell}</div>}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
