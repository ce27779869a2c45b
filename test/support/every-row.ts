/**
 * Tests that go over a table of options, such as the flags of a command or the attributes of an output: each row has a case
 * that shows its effect, or that it is refused, or that a warning says it has none. A new row without a case fails.
 */
import { expect, it } from 'vitest'

/** @param title of the test for a row */
export function everyRow<Name extends string, C>(
  table: readonly Name[],
  cases: { readonly [N in Name]: C },
  title: (name: Name) => string,
  run: (name: Name, row: C) => Promise<void>,
): void {
  it(`has a case for every row of the table: ${table.join(', ')}`, () =>
    expect(Object.keys(cases).sort()).toEqual([...table].sort()))
  for (const name of table) {
    const row: C | undefined = cases[name]
    if (row !== undefined) it(title(name), () => run(name, row))
  }
}
