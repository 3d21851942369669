/**
 * Machine-made mutants that survive because they are no bugs, and why. A mutant is named by its key
 * (mutate.ts): file, function, operator and text, no lines. `npm run mutants` fails for a survivor that is
 * not here, and for a line here whose mutant is gone or is caught.
 */

interface Reason {
  readonly why: string
  readonly mutants: readonly string[]
}

const REASONS: readonly Reason[] = []

const byKey = new Map(REASONS.flatMap(({ why, mutants }) => mutants.map((key) => [key, why])))

export function reasonFor(key: string): string | undefined {
  return byKey.get(key)
}

/** Keys that are listed and name no mutant. */
export function unused(keys: ReadonlySet<string>): readonly string[] {
  return [...byKey.keys()].filter((key) => !keys.has(key))
}
