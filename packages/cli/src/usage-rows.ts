/** Entries of the store for people and templates, as docker buildx du shows them. */
import type { UsageItem } from '@tsbuild/builder'
import type { Row } from './format/rows.ts'
import { escapeControls } from './progress/escape.ts'
import { formatBytes } from './progress/format.ts'
import { formatAge, renderTable } from './table.ts'

/** The heads of the columns. */
export const USAGE_HEADS: Readonly<Record<string, string>> = {
  CreatedAt: 'CREATED AT',
  LastUsedAt: 'LAST USED',
  LastUsedSince: 'LAST USED',
}

export function usageRow(item: UsageItem, now: number): Row {
  const { kind, type, id, description, size, reclaimable, mutable, shared, created, lastUsed } = item
  return {
    ID: id,
    Kind: kind,
    Type: type,
    Description: description ?? '',
    Size: formatBytes(size),
    Reclaimable: reclaimable,
    Mutable: mutable,
    Shared: shared,
    Parents: [],
    CreatedAt: new Date(created).toISOString(),
    LastUsedAt: new Date(lastUsed).toISOString(),
    LastUsedSince: formatAge(lastUsed, now),
  }
}

/** One line each. */
export function usageTable(items: readonly UsageItem[], now: number): string {
  const rows = items.map(({ kind, type, id, description, size, reclaimable, lastUsed }) => [
    kind,
    type,
    description && kind === 'record' ? `${description} ${id}` : id,
    formatBytes(size),
    String(reclaimable),
    formatAge(lastUsed, now),
  ])
  return renderTable(['KIND', 'TYPE', 'ID', 'SIZE', 'RECLAIMABLE', 'LAST USED'], rows)
}

/** A paragraph each. */
export function usageParagraphs(items: readonly UsageItem[], now: number): string {
  return items
    .map(({ id, type, description, size, reclaimable, mutable, shared, created, lastUsed }) => {
      const lines: readonly (readonly [string, string])[] = [
        ['ID', id],
        ['Created at', new Date(created).toISOString()],
        ['Mutable', String(mutable)],
        ['Reclaimable', String(reclaimable)],
        ['Shared', String(shared)],
        ['Size', formatBytes(size)],
        ...(description ? [['Description', description] as const] : []),
        ['Last used', formatAge(lastUsed, now)],
        ['Type', type],
      ]
      return lines.map(([name, value]) => `${`${name}:`.padEnd(13)}${escapeControls(value)}\n`).join('')
    })
    .join('\n')
}
